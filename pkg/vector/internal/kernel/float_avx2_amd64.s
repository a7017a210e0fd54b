#include "textflag.h"

// float32 in 256-bit registers. Every row is summed in four registers of eight lanes (coordinate i
// goes to register i/8 mod 4, the rest of fewer than 32 to the first, that of fewer than 8 to the
// second), then lanes are added in one fixed order: a row alone and a row among four give the same
// bits. Rests are read under a mask, which keeps the CPU from touching memory behind the row.

// 8 lanes on, 8 lanes off: read at 32-4*n it is the mask of the first n lanes.
DATA lanes<>+0(SB)/8, $-1
DATA lanes<>+8(SB)/8, $-1
DATA lanes<>+16(SB)/8, $-1
DATA lanes<>+24(SB)/8, $-1
DATA lanes<>+32(SB)/8, $0
DATA lanes<>+40(SB)/8, $0
DATA lanes<>+48(SB)/8, $0
DATA lanes<>+56(SB)/8, $0
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// MASK makes Y15 the mask of the first CX lanes and changes AX and CX.
#define MASK \
	LEAQ    lanes<>+32(SB), AX; \
	NEGQ    CX; \
	VMOVUPS     (AX)(CX*4), Y15

// SUM4 adds the four registers of a row and leaves four lanes in XA.
#define SUM4(YA, YB, YC, YD, XA, XB) \
	VADDPS       YB, YA, YA; \
	VADDPS       YD, YC, YC; \
	VADDPS       YC, YA, YA; \
	VEXTRACTF128 $1, YA, XB; \
	VADDPS      XB, XA, XA

// func dotAVX2(a, b *float32, n int) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VXORPS      Y0, Y0, Y0
	VXORPS      Y1, Y1, Y1
	VXORPS      Y2, Y2, Y2
	VXORPS      Y3, Y3, Y3
	SUBQ        $32, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Y8
	VFMADD231PS (DI), Y8, Y0
	VMOVUPS     32(SI), Y9
	VFMADD231PS 32(DI), Y9, Y1
	VMOVUPS     64(SI), Y10
	VFMADD231PS 64(DI), Y10, Y2
	VMOVUPS     96(SI), Y11
	VFMADD231PS 96(DI), Y11, Y3
	ADDQ        $128, SI
	ADDQ        $128, DI
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $24, CX
	JLT         tail

eight:
	VMOVUPS     (SI), Y8
	VFMADD231PS (DI), Y8, Y0
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JGE         eight

tail:
	ADDQ        $8, CX
	JZ          sum
	MASK
	VMASKMOVPS  (SI), Y15, Y8
	VMASKMOVPS  (DI), Y15, Y9
	VFMADD231PS Y9, Y8, Y1

sum:
	SUM4(Y0, Y1, Y2, Y3, X0, X1)
	VHADDPS     X0, X0, X0
	VHADDPS     X0, X0, X0
	VZEROUPPER
	MOVSS       X0, ret+24(FP)
	RET

// func dot4AVX2(q, a, b, c, d *float32, n int, r *[4]float32)
//
// Two rows, then the other two: sixteen registers hold no more.
TEXT ·dot4AVX2(SB), NOSPLIT, $0-56
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        r+48(FP), R9
	MOVQ        $2, R10

pair:
	MOVQ        q+0(FP), SI
	MOVQ        n+40(FP), CX
	VXORPS      Y0, Y0, Y0
	VXORPS      Y1, Y1, Y1
	VXORPS      Y2, Y2, Y2
	VXORPS      Y3, Y3, Y3
	VXORPS      Y4, Y4, Y4
	VXORPS      Y5, Y5, Y5
	VXORPS      Y6, Y6, Y6
	VXORPS      Y7, Y7, Y7
	SUBQ        $32, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Y8
	VFMADD231PS (DI), Y8, Y0
	VFMADD231PS (R8), Y8, Y4
	VMOVUPS     32(SI), Y9
	VFMADD231PS 32(DI), Y9, Y1
	VFMADD231PS 32(R8), Y9, Y5
	VMOVUPS     64(SI), Y10
	VFMADD231PS 64(DI), Y10, Y2
	VFMADD231PS 64(R8), Y10, Y6
	VMOVUPS     96(SI), Y11
	VFMADD231PS 96(DI), Y11, Y3
	VFMADD231PS 96(R8), Y11, Y7
	ADDQ        $128, SI
	ADDQ        $128, DI
	ADDQ        $128, R8
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $24, CX
	JLT         tail

eight:
	VMOVUPS     (SI), Y8
	VFMADD231PS (DI), Y8, Y0
	VFMADD231PS (R8), Y8, Y4
	ADDQ        $32, SI
	ADDQ        $32, DI
	ADDQ        $32, R8
	SUBQ        $8, CX
	JGE         eight

tail:
	ADDQ        $8, CX
	JZ          sum
	MASK
	VMASKMOVPS  (SI), Y15, Y8
	VMASKMOVPS  (DI), Y15, Y12
	VFMADD231PS Y12, Y8, Y1
	VMASKMOVPS  (R8), Y15, Y13
	VFMADD231PS Y13, Y8, Y5

sum:
	SUM4(Y0, Y1, Y2, Y3, X0, X1)
	SUM4(Y4, Y5, Y6, Y7, X4, X5)
	VHADDPS     X4, X0, X0
	VHADDPS     X0, X0, X0
	VMOVSD      X0, (R9)
	ADDQ        $8, R9
	MOVQ        c+24(FP), DI
	MOVQ        d+32(FP), R8
	DECQ        R10
	JNZ         pair
	VZEROUPPER
	RET

// func squaredL2AVX2(a, b *float32, n int) float32
TEXT ·squaredL2AVX2(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VXORPS      Y0, Y0, Y0
	VXORPS      Y1, Y1, Y1
	VXORPS      Y2, Y2, Y2
	VXORPS      Y3, Y3, Y3
	SUBQ        $32, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Y8
	VSUBPS      (DI), Y8, Y8
	VFMADD231PS Y8, Y8, Y0
	VMOVUPS     32(SI), Y9
	VSUBPS      32(DI), Y9, Y9
	VFMADD231PS Y9, Y9, Y1
	VMOVUPS     64(SI), Y10
	VSUBPS      64(DI), Y10, Y10
	VFMADD231PS Y10, Y10, Y2
	VMOVUPS     96(SI), Y11
	VSUBPS      96(DI), Y11, Y11
	VFMADD231PS Y11, Y11, Y3
	ADDQ        $128, SI
	ADDQ        $128, DI
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $24, CX
	JLT         tail

eight:
	VMOVUPS     (SI), Y8
	VSUBPS      (DI), Y8, Y8
	VFMADD231PS Y8, Y8, Y0
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JGE         eight

tail:
	ADDQ        $8, CX
	JZ          sum
	MASK
	VMASKMOVPS  (SI), Y15, Y8
	VMASKMOVPS  (DI), Y15, Y9
	VSUBPS      Y9, Y8, Y9
	VFMADD231PS Y9, Y9, Y1

sum:
	SUM4(Y0, Y1, Y2, Y3, X0, X1)
	VHADDPS     X0, X0, X0
	VHADDPS     X0, X0, X0
	VZEROUPPER
	MOVSS       X0, ret+24(FP)
	RET

// func squaredL24AVX2(q, a, b, c, d *float32, n int, r *[4]float32)
//
// Two rows, then the other two: sixteen registers hold no more.
TEXT ·squaredL24AVX2(SB), NOSPLIT, $0-56
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        r+48(FP), R9
	MOVQ        $2, R10

pair:
	MOVQ        q+0(FP), SI
	MOVQ        n+40(FP), CX
	VXORPS      Y0, Y0, Y0
	VXORPS      Y1, Y1, Y1
	VXORPS      Y2, Y2, Y2
	VXORPS      Y3, Y3, Y3
	VXORPS      Y4, Y4, Y4
	VXORPS      Y5, Y5, Y5
	VXORPS      Y6, Y6, Y6
	VXORPS      Y7, Y7, Y7
	SUBQ        $32, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Y8
	VSUBPS      (DI), Y8, Y12
	VFMADD231PS Y12, Y12, Y0
	VSUBPS      (R8), Y8, Y13
	VFMADD231PS Y13, Y13, Y4
	VMOVUPS     32(SI), Y9
	VSUBPS      32(DI), Y9, Y12
	VFMADD231PS Y12, Y12, Y1
	VSUBPS      32(R8), Y9, Y13
	VFMADD231PS Y13, Y13, Y5
	VMOVUPS     64(SI), Y10
	VSUBPS      64(DI), Y10, Y12
	VFMADD231PS Y12, Y12, Y2
	VSUBPS      64(R8), Y10, Y13
	VFMADD231PS Y13, Y13, Y6
	VMOVUPS     96(SI), Y11
	VSUBPS      96(DI), Y11, Y12
	VFMADD231PS Y12, Y12, Y3
	VSUBPS      96(R8), Y11, Y13
	VFMADD231PS Y13, Y13, Y7
	ADDQ        $128, SI
	ADDQ        $128, DI
	ADDQ        $128, R8
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $24, CX
	JLT         tail

eight:
	VMOVUPS     (SI), Y8
	VSUBPS      (DI), Y8, Y12
	VFMADD231PS Y12, Y12, Y0
	VSUBPS      (R8), Y8, Y13
	VFMADD231PS Y13, Y13, Y4
	ADDQ        $32, SI
	ADDQ        $32, DI
	ADDQ        $32, R8
	SUBQ        $8, CX
	JGE         eight

tail:
	ADDQ        $8, CX
	JZ          sum
	MASK
	VMASKMOVPS  (SI), Y15, Y8
	VMASKMOVPS  (DI), Y15, Y12
	VSUBPS      Y12, Y8, Y12
	VFMADD231PS Y12, Y12, Y1
	VMASKMOVPS  (R8), Y15, Y13
	VSUBPS      Y13, Y8, Y13
	VFMADD231PS Y13, Y13, Y5

sum:
	SUM4(Y0, Y1, Y2, Y3, X0, X1)
	SUM4(Y4, Y5, Y6, Y7, X4, X5)
	VHADDPS     X4, X0, X0
	VHADDPS     X0, X0, X0
	VMOVSD      X0, (R9)
	ADDQ        $8, R9
	MOVQ        c+24(FP), DI
	MOVQ        d+32(FP), R8
	DECQ        R10
	JNZ         pair
	VZEROUPPER
	RET
