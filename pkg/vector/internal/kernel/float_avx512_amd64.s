#include "textflag.h"

// float32 in 512-bit registers. Every row is summed in four registers of sixteen lanes (coordinate i
// goes to register i/16 mod 4, the rest of fewer than 64 to the first, that of fewer than 16 to
// the second), then lanes are added in one fixed order: a row alone and a row among four give the
// same bits. Rests are read under a mask, which keeps the CPU from touching memory behind the row.

// MASK makes K1 the mask of the first CX lanes and changes AX.
#define MASK \
	MOVL  $-1, AX; \
	SHLL  CX, AX; \
	NOTL  AX; \
	KMOVW       AX, K1

// SUM4 adds the four registers of a row and leaves four lanes in XA.
#define SUM4(ZA, ZB, ZC, ZD, YA, YB, XA, XB) \
	VADDPS        ZB, ZA, ZA; \
	VADDPS        ZD, ZC, ZC; \
	VADDPS        ZC, ZA, ZA; \
	VEXTRACTF64X4 $1, ZA, YB; \
	VADDPS        YB, YA, YA; \
	VEXTRACTF128  $1, YA, XB; \
	VADDPS      XB, XA, XA

// func dotAVX512(a, b *float32, n int) float32
TEXT ·dotAVX512(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VXORPS      Z0, Z0, Z0
	VXORPS      Z1, Z1, Z1
	VXORPS      Z2, Z2, Z2
	VXORPS      Z3, Z3, Z3
	SUBQ        $64, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Z16
	VFMADD231PS (DI), Z16, Z0
	VMOVUPS     64(SI), Z17
	VFMADD231PS 64(DI), Z17, Z1
	VMOVUPS     128(SI), Z18
	VFMADD231PS 128(DI), Z18, Z2
	VMOVUPS     192(SI), Z19
	VFMADD231PS 192(DI), Z19, Z3
	ADDQ        $256, SI
	ADDQ        $256, DI
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $48, CX
	JLT         tail

sixteen:
	VMOVUPS     (SI), Z16
	VFMADD231PS (DI), Z16, Z0
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JGE         sixteen

tail:
	ADDQ        $16, CX
	JZ          sum
	MASK
	VMOVUPS.Z   (SI), K1, Z16
	VMOVUPS.Z   (DI), K1, Z20
	VFMADD231PS Z20, Z16, Z1

sum:
	SUM4(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	VHADDPS     X0, X0, X0
	VHADDPS     X0, X0, X0
	VZEROUPPER
	MOVSS       X0, ret+24(FP)
	RET

// func dot4AVX512(q, a, b, c, d *float32, n int, r *[4]float32)
TEXT ·dot4AVX512(SB), NOSPLIT, $0-56
	MOVQ        q+0(FP), SI
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        c+24(FP), R9
	MOVQ        d+32(FP), R10
	MOVQ        n+40(FP), CX
	MOVQ        r+48(FP), DX
	VXORPS      Z0, Z0, Z0
	VXORPS      Z1, Z1, Z1
	VXORPS      Z2, Z2, Z2
	VXORPS      Z3, Z3, Z3
	VXORPS      Z4, Z4, Z4
	VXORPS      Z5, Z5, Z5
	VXORPS      Z6, Z6, Z6
	VXORPS      Z7, Z7, Z7
	VXORPS      Z8, Z8, Z8
	VXORPS      Z9, Z9, Z9
	VXORPS      Z10, Z10, Z10
	VXORPS      Z11, Z11, Z11
	VXORPS      Z12, Z12, Z12
	VXORPS      Z13, Z13, Z13
	VXORPS      Z14, Z14, Z14
	VXORPS      Z15, Z15, Z15
	SUBQ        $64, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Z16
	VFMADD231PS (DI), Z16, Z0
	VFMADD231PS (R8), Z16, Z4
	VFMADD231PS (R9), Z16, Z8
	VFMADD231PS (R10), Z16, Z12
	VMOVUPS     64(SI), Z17
	VFMADD231PS 64(DI), Z17, Z1
	VFMADD231PS 64(R8), Z17, Z5
	VFMADD231PS 64(R9), Z17, Z9
	VFMADD231PS 64(R10), Z17, Z13
	VMOVUPS     128(SI), Z18
	VFMADD231PS 128(DI), Z18, Z2
	VFMADD231PS 128(R8), Z18, Z6
	VFMADD231PS 128(R9), Z18, Z10
	VFMADD231PS 128(R10), Z18, Z14
	VMOVUPS     192(SI), Z19
	VFMADD231PS 192(DI), Z19, Z3
	VFMADD231PS 192(R8), Z19, Z7
	VFMADD231PS 192(R9), Z19, Z11
	VFMADD231PS 192(R10), Z19, Z15
	ADDQ        $256, SI
	ADDQ        $256, DI
	ADDQ        $256, R8
	ADDQ        $256, R9
	ADDQ        $256, R10
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $48, CX
	JLT         tail

sixteen:
	VMOVUPS     (SI), Z16
	VFMADD231PS (DI), Z16, Z0
	VFMADD231PS (R8), Z16, Z4
	VFMADD231PS (R9), Z16, Z8
	VFMADD231PS (R10), Z16, Z12
	ADDQ        $64, SI
	ADDQ        $64, DI
	ADDQ        $64, R8
	ADDQ        $64, R9
	ADDQ        $64, R10
	SUBQ        $16, CX
	JGE         sixteen

tail:
	ADDQ        $16, CX
	JZ          sum
	MASK
	VMOVUPS.Z   (SI), K1, Z16
	VMOVUPS.Z   (DI), K1, Z20
	VFMADD231PS Z20, Z16, Z1
	VMOVUPS.Z   (R8), K1, Z21
	VFMADD231PS Z21, Z16, Z5
	VMOVUPS.Z   (R9), K1, Z22
	VFMADD231PS Z22, Z16, Z9
	VMOVUPS.Z   (R10), K1, Z23
	VFMADD231PS Z23, Z16, Z13

sum:
	SUM4(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	SUM4(Z4, Z5, Z6, Z7, Y4, Y5, X4, X5)
	SUM4(Z8, Z9, Z10, Z11, Y8, Y9, X8, X9)
	SUM4(Z12, Z13, Z14, Z15, Y12, Y13, X12, X13)
	VHADDPS     X4, X0, X0
	VHADDPS     X12, X8, X8
	VHADDPS     X8, X0, X0
	VMOVUPS     X0, (DX)
	VZEROUPPER
	RET

// func squaredL2AVX512(a, b *float32, n int) float32
TEXT ·squaredL2AVX512(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VXORPS      Z0, Z0, Z0
	VXORPS      Z1, Z1, Z1
	VXORPS      Z2, Z2, Z2
	VXORPS      Z3, Z3, Z3
	SUBQ        $64, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Z16
	VSUBPS      (DI), Z16, Z20
	VFMADD231PS Z20, Z20, Z0
	VMOVUPS     64(SI), Z17
	VSUBPS      64(DI), Z17, Z20
	VFMADD231PS Z20, Z20, Z1
	VMOVUPS     128(SI), Z18
	VSUBPS      128(DI), Z18, Z20
	VFMADD231PS Z20, Z20, Z2
	VMOVUPS     192(SI), Z19
	VSUBPS      192(DI), Z19, Z20
	VFMADD231PS Z20, Z20, Z3
	ADDQ        $256, SI
	ADDQ        $256, DI
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $48, CX
	JLT         tail

sixteen:
	VMOVUPS     (SI), Z16
	VSUBPS      (DI), Z16, Z20
	VFMADD231PS Z20, Z20, Z0
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JGE         sixteen

tail:
	ADDQ        $16, CX
	JZ          sum
	MASK
	VMOVUPS.Z   (SI), K1, Z16
	VMOVUPS.Z   (DI), K1, Z20
	VSUBPS      Z20, Z16, Z20
	VFMADD231PS Z20, Z20, Z1

sum:
	SUM4(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	VHADDPS     X0, X0, X0
	VHADDPS     X0, X0, X0
	VZEROUPPER
	MOVSS       X0, ret+24(FP)
	RET

// func squaredL24AVX512(q, a, b, c, d *float32, n int, r *[4]float32)
TEXT ·squaredL24AVX512(SB), NOSPLIT, $0-56
	MOVQ        q+0(FP), SI
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        c+24(FP), R9
	MOVQ        d+32(FP), R10
	MOVQ        n+40(FP), CX
	MOVQ        r+48(FP), DX
	VXORPS      Z0, Z0, Z0
	VXORPS      Z1, Z1, Z1
	VXORPS      Z2, Z2, Z2
	VXORPS      Z3, Z3, Z3
	VXORPS      Z4, Z4, Z4
	VXORPS      Z5, Z5, Z5
	VXORPS      Z6, Z6, Z6
	VXORPS      Z7, Z7, Z7
	VXORPS      Z8, Z8, Z8
	VXORPS      Z9, Z9, Z9
	VXORPS      Z10, Z10, Z10
	VXORPS      Z11, Z11, Z11
	VXORPS      Z12, Z12, Z12
	VXORPS      Z13, Z13, Z13
	VXORPS      Z14, Z14, Z14
	VXORPS      Z15, Z15, Z15
	SUBQ        $64, CX
	JLT         rest

wide:
	VMOVUPS     (SI), Z16
	VSUBPS      (DI), Z16, Z20
	VFMADD231PS Z20, Z20, Z0
	VSUBPS      (R8), Z16, Z21
	VFMADD231PS Z21, Z21, Z4
	VSUBPS      (R9), Z16, Z22
	VFMADD231PS Z22, Z22, Z8
	VSUBPS      (R10), Z16, Z23
	VFMADD231PS Z23, Z23, Z12
	VMOVUPS     64(SI), Z17
	VSUBPS      64(DI), Z17, Z20
	VFMADD231PS Z20, Z20, Z1
	VSUBPS      64(R8), Z17, Z21
	VFMADD231PS Z21, Z21, Z5
	VSUBPS      64(R9), Z17, Z22
	VFMADD231PS Z22, Z22, Z9
	VSUBPS      64(R10), Z17, Z23
	VFMADD231PS Z23, Z23, Z13
	VMOVUPS     128(SI), Z18
	VSUBPS      128(DI), Z18, Z20
	VFMADD231PS Z20, Z20, Z2
	VSUBPS      128(R8), Z18, Z21
	VFMADD231PS Z21, Z21, Z6
	VSUBPS      128(R9), Z18, Z22
	VFMADD231PS Z22, Z22, Z10
	VSUBPS      128(R10), Z18, Z23
	VFMADD231PS Z23, Z23, Z14
	VMOVUPS     192(SI), Z19
	VSUBPS      192(DI), Z19, Z20
	VFMADD231PS Z20, Z20, Z3
	VSUBPS      192(R8), Z19, Z21
	VFMADD231PS Z21, Z21, Z7
	VSUBPS      192(R9), Z19, Z22
	VFMADD231PS Z22, Z22, Z11
	VSUBPS      192(R10), Z19, Z23
	VFMADD231PS Z23, Z23, Z15
	ADDQ        $256, SI
	ADDQ        $256, DI
	ADDQ        $256, R8
	ADDQ        $256, R9
	ADDQ        $256, R10
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $48, CX
	JLT         tail

sixteen:
	VMOVUPS     (SI), Z16
	VSUBPS      (DI), Z16, Z20
	VFMADD231PS Z20, Z20, Z0
	VSUBPS      (R8), Z16, Z21
	VFMADD231PS Z21, Z21, Z4
	VSUBPS      (R9), Z16, Z22
	VFMADD231PS Z22, Z22, Z8
	VSUBPS      (R10), Z16, Z23
	VFMADD231PS Z23, Z23, Z12
	ADDQ        $64, SI
	ADDQ        $64, DI
	ADDQ        $64, R8
	ADDQ        $64, R9
	ADDQ        $64, R10
	SUBQ        $16, CX
	JGE         sixteen

tail:
	ADDQ        $16, CX
	JZ          sum
	MASK
	VMOVUPS.Z   (SI), K1, Z16
	VMOVUPS.Z   (DI), K1, Z20
	VSUBPS      Z20, Z16, Z20
	VFMADD231PS Z20, Z20, Z1
	VMOVUPS.Z   (R8), K1, Z21
	VSUBPS      Z21, Z16, Z21
	VFMADD231PS Z21, Z21, Z5
	VMOVUPS.Z   (R9), K1, Z22
	VSUBPS      Z22, Z16, Z22
	VFMADD231PS Z22, Z22, Z9
	VMOVUPS.Z   (R10), K1, Z23
	VSUBPS      Z23, Z16, Z23
	VFMADD231PS Z23, Z23, Z13

sum:
	SUM4(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	SUM4(Z4, Z5, Z6, Z7, Y4, Y5, X4, X5)
	SUM4(Z8, Z9, Z10, Z11, Y8, Y9, X8, X9)
	SUM4(Z12, Z13, Z14, Z15, Y12, Y13, X12, X13)
	VHADDPS     X4, X0, X0
	VHADDPS     X12, X8, X8
	VHADDPS     X8, X0, X0
	VMOVUPS     X0, (DX)
	VZEROUPPER
	RET
