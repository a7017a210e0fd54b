#include "textflag.h"

// func prefetch(places *[BlockSize]uintptr, n int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVD places+0(FP), R0
	MOVD n+8(FP), R1

next:
	MOVD.P 8(R0), R2
	PRFM   (R2), PLDL1KEEP
	ADD    $64, R2
	PRFM   (R2), PLDL1KEEP
	SUBS   $1, R1
	BGT    next
	RET
