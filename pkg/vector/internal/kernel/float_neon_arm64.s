#include "textflag.h"

// float32 in 128-bit registers, which every arm64 has. Every row is summed in four registers of four
// lanes (coordinate i goes to register i/4 mod 4, the rest of fewer than 16 to the first, that of
// fewer than 4 to the second), then lanes are added in one fixed order: a row alone and a row among
// four give the same bits. Of the last rest a pair and a single coordinate are read, into registers
// of zeros: nothing behind the row is touched.
//
// Go's assembler has no names for some vector instructions; their words are made here, from numbers
// of registers. The order is that of its names: the second operand, the first, the destination.

// FADD Vd.4S, Vn.4S, Vm.4S
#define VFADD(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))

// FSUB Vd.4S, Vn.4S, Vm.4S: n-m
#define VFSUB(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))

// FADDP Vd.4S, Vn.4S, Vm.4S: the sums of neighbours in n, then of those in m
#define VFADDP(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))

// SUM4 adds the four registers of a row and leaves four lanes in a.
#define SUM4(a, b, c, d) \
	VFADD(b, a, a); \
	VFADD(d, c, c); \
	VFADD(c, a, a)

// DOT16 adds sixteen products of the row at ROW and the query, in V16 to V19.
#define DOT16(ROW, A, B, C, D) \
	VLD1.P 64(ROW), [V20.S4, V21.S4, V22.S4, V23.S4]; \
	VFMLA  V20.S4, V16.S4, A.S4; \
	VFMLA  V21.S4, V17.S4, B.S4; \
	VFMLA  V22.S4, V18.S4, C.S4; \
	VFMLA  V23.S4, V19.S4, D.S4

// DOT4 adds four products of the row at ROW and the query, in V16.
#define DOT4(ROW, A) \
	VLD1.P 16(ROW), [V20.S4]; \
	VFMLA  V20.S4, V16.S4, A.S4

// L216 adds sixteen squares of differences between the row at ROW and the query, in V16 to V19.
#define L216(ROW, A, B, C, D) \
	VLD1.P 64(ROW), [V20.S4, V21.S4, V22.S4, V23.S4]; \
	VFSUB(20, 16, 20); \
	VFSUB(21, 17, 21); \
	VFSUB(22, 18, 22); \
	VFSUB(23, 19, 23); \
	VFMLA  V20.S4, V20.S4, A.S4; \
	VFMLA  V21.S4, V21.S4, B.S4; \
	VFMLA  V22.S4, V22.S4, C.S4; \
	VFMLA  V23.S4, V23.S4, D.S4

// L24 adds four squares of differences between the row at ROW and the query, in V16.
#define L24(ROW, A) \
	VLD1.P 16(ROW), [V20.S4]; \
	VFSUB(20, 16, 20); \
	VFMLA  V20.S4, V20.S4, A.S4

// func dotNEON(a, b *float32, n int) float32
TEXT ·dotNEON(SB), NOSPLIT, $0-28
	MOVD   a+0(FP), R0
	MOVD   b+8(FP), R1
	MOVD   n+16(FP), R5
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	SUBS   $16, R5
	BLT    rest

wide:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	DOT16(R1, V0, V1, V2, V3)
	SUBS   $16, R5
	BGE    wide

rest:
	ADDS   $12, R5
	BLT    tail

four:
	VLD1.P 16(R0), [V16.S4]
	DOT4(R1, V0)
	SUBS   $4, R5
	BGE    four

tail:
	ADDS   $4, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	VEOR   V20.B16, V20.B16, V20.B16
	TBZ    $1, R5, one
	VLD1.P 8(R0), V16.D[0]
	VLD1.P 8(R1), V20.D[0]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.S[2]
	VLD1   (R1), V20.S[2]

last:
	VFMLA  V20.S4, V16.S4, V1.S4

sum:
	SUM4(0, 1, 2, 3)
	VFADDP(0, 0, 0)
	VFADDP(0, 0, 0)
	FMOVS  F0, ret+24(FP)
	RET

// func dot4NEON(q, a, b, c, d *float32, n int, r *[4]float32)
TEXT ·dot4NEON(SB), NOSPLIT, $0-56
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
	VEOR   V8.B16, V8.B16, V8.B16
	VEOR   V9.B16, V9.B16, V9.B16
	VEOR   V10.B16, V10.B16, V10.B16
	VEOR   V11.B16, V11.B16, V11.B16
	VEOR   V12.B16, V12.B16, V12.B16
	VEOR   V13.B16, V13.B16, V13.B16
	VEOR   V14.B16, V14.B16, V14.B16
	VEOR   V15.B16, V15.B16, V15.B16
	SUBS   $16, R5
	BLT    rest

wide:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	DOT16(R1, V0, V1, V2, V3)
	DOT16(R2, V4, V5, V6, V7)
	DOT16(R3, V8, V9, V10, V11)
	DOT16(R4, V12, V13, V14, V15)
	SUBS   $16, R5
	BGE    wide

rest:
	ADDS   $12, R5
	BLT    tail

four:
	VLD1.P 16(R0), [V16.S4]
	DOT4(R1, V0)
	DOT4(R2, V4)
	DOT4(R3, V8)
	DOT4(R4, V12)
	SUBS   $4, R5
	BGE    four

tail:
	ADDS   $4, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	VEOR   V20.B16, V20.B16, V20.B16
	VEOR   V21.B16, V21.B16, V21.B16
	VEOR   V22.B16, V22.B16, V22.B16
	VEOR   V23.B16, V23.B16, V23.B16
	TBZ    $1, R5, one
	VLD1.P 8(R0), V16.D[0]
	VLD1.P 8(R1), V20.D[0]
	VLD1.P 8(R2), V21.D[0]
	VLD1.P 8(R3), V22.D[0]
	VLD1.P 8(R4), V23.D[0]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.S[2]
	VLD1   (R1), V20.S[2]
	VLD1   (R2), V21.S[2]
	VLD1   (R3), V22.S[2]
	VLD1   (R4), V23.S[2]

last:
	VFMLA  V20.S4, V16.S4, V1.S4
	VFMLA  V21.S4, V16.S4, V5.S4
	VFMLA  V22.S4, V16.S4, V9.S4
	VFMLA  V23.S4, V16.S4, V13.S4

sum:
	SUM4(0, 1, 2, 3)
	SUM4(4, 5, 6, 7)
	SUM4(8, 9, 10, 11)
	SUM4(12, 13, 14, 15)
	VFADDP(4, 0, 0)
	VFADDP(12, 8, 8)
	VFADDP(8, 0, 0)
	VST1   [V0.S4], (R6)
	RET

// func squaredL2NEON(a, b *float32, n int) float32
TEXT ·squaredL2NEON(SB), NOSPLIT, $0-28
	MOVD   a+0(FP), R0
	MOVD   b+8(FP), R1
	MOVD   n+16(FP), R5
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	SUBS   $16, R5
	BLT    rest

wide:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	L216(R1, V0, V1, V2, V3)
	SUBS   $16, R5
	BGE    wide

rest:
	ADDS   $12, R5
	BLT    tail

four:
	VLD1.P 16(R0), [V16.S4]
	L24(R1, V0)
	SUBS   $4, R5
	BGE    four

tail:
	ADDS   $4, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	VEOR   V20.B16, V20.B16, V20.B16
	TBZ    $1, R5, one
	VLD1.P 8(R0), V16.D[0]
	VLD1.P 8(R1), V20.D[0]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.S[2]
	VLD1   (R1), V20.S[2]

last:
	VFSUB(20, 16, 20)
	VFMLA  V20.S4, V20.S4, V1.S4

sum:
	SUM4(0, 1, 2, 3)
	VFADDP(0, 0, 0)
	VFADDP(0, 0, 0)
	FMOVS  F0, ret+24(FP)
	RET

// func squaredL24NEON(q, a, b, c, d *float32, n int, r *[4]float32)
TEXT ·squaredL24NEON(SB), NOSPLIT, $0-56
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
	VEOR   V8.B16, V8.B16, V8.B16
	VEOR   V9.B16, V9.B16, V9.B16
	VEOR   V10.B16, V10.B16, V10.B16
	VEOR   V11.B16, V11.B16, V11.B16
	VEOR   V12.B16, V12.B16, V12.B16
	VEOR   V13.B16, V13.B16, V13.B16
	VEOR   V14.B16, V14.B16, V14.B16
	VEOR   V15.B16, V15.B16, V15.B16
	SUBS   $16, R5
	BLT    rest

wide:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	L216(R1, V0, V1, V2, V3)
	L216(R2, V4, V5, V6, V7)
	L216(R3, V8, V9, V10, V11)
	L216(R4, V12, V13, V14, V15)
	SUBS   $16, R5
	BGE    wide

rest:
	ADDS   $12, R5
	BLT    tail

four:
	VLD1.P 16(R0), [V16.S4]
	L24(R1, V0)
	L24(R2, V4)
	L24(R3, V8)
	L24(R4, V12)
	SUBS   $4, R5
	BGE    four

tail:
	ADDS   $4, R5
	BEQ    sum
	VEOR   V16.B16, V16.B16, V16.B16
	VEOR   V20.B16, V20.B16, V20.B16
	VEOR   V21.B16, V21.B16, V21.B16
	VEOR   V22.B16, V22.B16, V22.B16
	VEOR   V23.B16, V23.B16, V23.B16
	TBZ    $1, R5, one
	VLD1.P 8(R0), V16.D[0]
	VLD1.P 8(R1), V20.D[0]
	VLD1.P 8(R2), V21.D[0]
	VLD1.P 8(R3), V22.D[0]
	VLD1.P 8(R4), V23.D[0]

one:
	TBZ    $0, R5, last
	VLD1   (R0), V16.S[2]
	VLD1   (R1), V20.S[2]
	VLD1   (R2), V21.S[2]
	VLD1   (R3), V22.S[2]
	VLD1   (R4), V23.S[2]

last:
	VFSUB(20, 16, 20)
	VFMLA  V20.S4, V20.S4, V1.S4
	VFSUB(21, 16, 21)
	VFMLA  V21.S4, V21.S4, V5.S4
	VFSUB(22, 16, 22)
	VFMLA  V22.S4, V22.S4, V9.S4
	VFSUB(23, 16, 23)
	VFMLA  V23.S4, V23.S4, V13.S4

sum:
	SUM4(0, 1, 2, 3)
	SUM4(4, 5, 6, 7)
	SUM4(8, 9, 10, 11)
	SUM4(12, 13, 14, 15)
	VFADDP(4, 0, 0)
	VFADDP(12, 8, 8)
	VFADDP(8, 0, 0)
	VST1   [V0.S4], (R6)
	RET
