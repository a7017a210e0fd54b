#include "textflag.h"

// func prefetch4(a, b, c, d unsafe.Pointer, n int)
//
// One cache line of each in turn, so that the first lines of all four are asked for first.
TEXT ·prefetch4(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), BX
	MOVQ c+16(FP), CX
	MOVQ d+24(FP), DX
	MOVQ n+32(FP), SI

line:
	PREFETCHT0 (AX)
	PREFETCHT0 (BX)
	PREFETCHT0 (CX)
	PREFETCHT0 (DX)
	ADDQ       $64, AX
	ADDQ       $64, BX
	ADDQ       $64, CX
	ADDQ       $64, DX
	SUBQ       $64, SI
	JGT        line
	RET
