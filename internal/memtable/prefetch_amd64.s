#include "textflag.h"

// func prefetch(places *[BlockSize]uintptr, n int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ places+0(FP), SI
	MOVQ n+8(FP), CX

next:
	MOVQ       (SI), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	ADDQ       $8, SI
	SUBQ       $1, CX
	JGT        next
	RET
