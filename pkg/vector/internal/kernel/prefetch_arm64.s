#include "textflag.h"

// func prefetch4(a, b, c, d unsafe.Pointer, n int)
TEXT ·prefetch4(SB), NOSPLIT, $0-40
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD c+16(FP), R2
	MOVD d+24(FP), R3
	MOVD n+32(FP), R4

line:
	PRFM (R0), PLDL1KEEP
	PRFM (R1), PLDL1KEEP
	PRFM (R2), PLDL1KEEP
	PRFM (R3), PLDL1KEEP
	ADD  $64, R0
	ADD  $64, R1
	ADD  $64, R2
	ADD  $64, R3
	SUBS $64, R4
	BGT  line
	RET
