#include "textflag.h"

// int8 where the CPU has SDOT (ASIMDDP), which multiplies bytes and adds up four products in 32 bits.
// The rest is as in int8_neon_arm64.s.
//
// Go's assembler has no name for it; its word is made here, from numbers of registers.

// MUL16 adds sixteen products to the four lanes of d: SDOT Vd.4S, Vn.16B, Vm.16B
#define MUL16(m, n, d) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))

// func dotInt8Dotprod(a, b *int8, n int) int32
TEXT ·dotInt8Dotprod(SB), NOSPLIT, $0-28
	MOVD   a+0(FP), R0
	MOVD   b+8(FP), R1
	MOVD   n+16(FP), R5
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	SUBS   $64, R5
	BLT    rest

wide:
	VLD1.P 64(R0), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]
	MUL16(20, 16, 0)
	MUL16(21, 17, 1)
	MUL16(22, 18, 2)
	MUL16(23, 19, 3)
	SUBS   $64, R5
	BGE    wide

rest:
	ADDS   $48, R5
	BLT    tail

sixteen:
	VLD1.P 16(R0), [V16.B16]
	VLD1.P 16(R1), [V20.B16]
	MUL16(20, 16, 0)
	SUBS   $16, R5
	BGE    sixteen

tail:
	ADDS   $16, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	TBZ    $3, R5, four
	VLD1.P 8(R0), V16.D[1]
	VLD1.P 8(R1), V20.D[1]

four:
	TBZ    $2, R5, two
	VLD1.P 4(R0), V16.S[0]
	VLD1.P 4(R1), V20.S[0]

two:
	TBZ    $1, R5, one
	VLD1.P 2(R0), V16.H[2]
	VLD1.P 2(R1), V20.H[2]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.B[6]
	VLD1   (R1), V20.B[6]

last:
	MUL16(20, 16, 1)

sum:
	VADD   V1.S4, V0.S4, V0.S4
	VADD   V3.S4, V2.S4, V2.S4
	VADD   V2.S4, V0.S4, V0.S4
	VADDV  V0.S4, V0
	FMOVS  F0, R7
	MOVW   R7, ret+24(FP)
	RET

// func dotInt84Dotprod(q, a, b, c, d *int8, n int, r *[4]int32)
TEXT ·dotInt84Dotprod(SB), NOSPLIT, $0-56
	MOVD   q+0(FP), R0
	MOVD   a+8(FP), R1
	MOVD   b+16(FP), R2
	MOVD   c+24(FP), R3
	MOVD   d+32(FP), R4
	MOVD   n+40(FP), R5
	MOVD   r+48(FP), R6
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	VEOR   V4.B16, V4.B16, V4.B16
	VEOR   V5.B16, V5.B16, V5.B16
	VEOR   V6.B16, V6.B16, V6.B16
	VEOR   V7.B16, V7.B16, V7.B16
	SUBS   $32, R5
	BLT    rest

wide:
	VLD1.P 32(R0), [V16.B16, V17.B16]
	VLD1.P 32(R1), [V20.B16, V21.B16]
	VLD1.P 32(R2), [V22.B16, V23.B16]
	VLD1.P 32(R3), [V24.B16, V25.B16]
	VLD1.P 32(R4), [V26.B16, V27.B16]
	MUL16(20, 16, 0)
	MUL16(21, 17, 1)
	MUL16(22, 16, 2)
	MUL16(23, 17, 3)
	MUL16(24, 16, 4)
	MUL16(25, 17, 5)
	MUL16(26, 16, 6)
	MUL16(27, 17, 7)
	SUBS   $32, R5
	BGE    wide

rest:
	ADDS   $16, R5
	BLT    tail
	VLD1.P 16(R0), [V16.B16]
	VLD1.P 16(R1), [V20.B16]
	VLD1.P 16(R2), [V21.B16]
	VLD1.P 16(R3), [V22.B16]
	VLD1.P 16(R4), [V23.B16]
	MUL16(20, 16, 0)
	MUL16(21, 16, 2)
	MUL16(22, 16, 4)
	MUL16(23, 16, 6)
	SUB    $16, R5

tail:
	ADDS   $16, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	TBZ    $3, R5, four
	VLD1.P 8(R0), V16.D[1]
	VLD1.P 8(R1), V20.D[1]
	VLD1.P 8(R2), V21.D[1]
	VLD1.P 8(R3), V22.D[1]
	VLD1.P 8(R4), V23.D[1]

four:
	TBZ    $2, R5, two
	VLD1.P 4(R0), V16.S[0]
	VLD1.P 4(R1), V20.S[0]
	VLD1.P 4(R2), V21.S[0]
	VLD1.P 4(R3), V22.S[0]
	VLD1.P 4(R4), V23.S[0]

two:
	TBZ    $1, R5, one
	VLD1.P 2(R0), V16.H[2]
	VLD1.P 2(R1), V20.H[2]
	VLD1.P 2(R2), V21.H[2]
	VLD1.P 2(R3), V22.H[2]
	VLD1.P 2(R4), V23.H[2]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.B[6]
	VLD1   (R1), V20.B[6]
	VLD1   (R2), V21.B[6]
	VLD1   (R3), V22.B[6]
	VLD1   (R4), V23.B[6]

last:
	MUL16(20, 16, 1)
	MUL16(21, 16, 3)
	MUL16(22, 16, 5)
	MUL16(23, 16, 7)

sum:
	VADD   V1.S4, V0.S4, V0.S4
	VADD   V3.S4, V2.S4, V2.S4
	VADD   V5.S4, V4.S4, V4.S4
	VADD   V7.S4, V6.S4, V6.S4
	VADDP  V2.S4, V0.S4, V0.S4
	VADDP  V6.S4, V4.S4, V4.S4
	VADDP  V4.S4, V0.S4, V0.S4
	VST1   [V0.S4], (R6)
	RET
