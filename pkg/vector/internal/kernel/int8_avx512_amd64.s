#include "textflag.h"

// int8 in 512-bit registers. Integer sums wrap around, so their order does not matter. Rests are
// read under a mask, which keeps the CPU from touching memory behind the row.
//
// AVX512: bytes are widened to 16 bits, products of two neighbours added up in 32.
//
// VNNI: VPDPBUSD multiplies bytes without a sign by bytes with one and adds up four products. The
// row, with its top bit flipped, is the one without: row+128. The 128 times the sum of the query that
// is too much is counted alongside and taken off at the end.

// MASKB makes K1 the mask of the first CX of 64 bytes and changes AX.
#define MASKB \
	MOVQ  $-1, AX; \
	SHLQ  CX, AX; \
	NOTQ  AX; \
	KMOVQ       AX, K1

// FOLD adds the lanes of a register and leaves four in XA.
#define FOLD(ZA, YA, YB, XA, XB) \
	VEXTRACTI64X4 $1, ZA, YB; \
	VPADDD        YB, YA, YA; \
	VEXTRACTI128  $1, YA, XB; \
	VPADDD      XB, XA, XA

// func dotInt8AVX512(a, b *int8, n int) int32
TEXT ·dotInt8AVX512(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VPXORD      Z0, Z0, Z0
	VPXORD      Z8, Z8, Z8
	SUBQ        $64, CX
	JLT         rest

wide:
	VPMOVSXBW   (SI), Z16
	VPMOVSXBW   32(SI), Z17
	VPMOVSXBW   (DI), Z18
	VPMOVSXBW   32(DI), Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z0, Z0
	VPADDD      Z19, Z8, Z8
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $64, CX
	JZ          sum
	MASKB
	VMOVDQU8.Z  (SI), K1, Z20
	VPMOVSXBW   Y20, Z16
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z17
	VMOVDQU8.Z  (DI), K1, Z20
	VPMOVSXBW   Y20, Z18
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z0, Z0
	VPADDD      Z19, Z8, Z8

sum:
	VPADDD      Z8, Z0, Z0
	FOLD(Z0, Y0, Y8, X0, X8)
	VPHADDD     X0, X0, X0
	VPHADDD     X0, X0, X0
	VMOVD       X0, AX
	VZEROUPPER
	MOVL        AX, ret+24(FP)
	RET

// func dotInt84AVX512(q, a, b, c, d *int8, n int, r *[4]int32)
TEXT ·dotInt84AVX512(SB), NOSPLIT, $0-56
	MOVQ        q+0(FP), SI
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        c+24(FP), R9
	MOVQ        d+32(FP), R10
	MOVQ        n+40(FP), CX
	MOVQ        r+48(FP), DX
	VPXORD      Z0, Z0, Z0
	VPXORD      Z8, Z8, Z8
	VPXORD      Z1, Z1, Z1
	VPXORD      Z9, Z9, Z9
	VPXORD      Z2, Z2, Z2
	VPXORD      Z10, Z10, Z10
	VPXORD      Z3, Z3, Z3
	VPXORD      Z11, Z11, Z11
	SUBQ        $64, CX
	JLT         rest

wide:
	VPMOVSXBW   (SI), Z16
	VPMOVSXBW   32(SI), Z17
	VPMOVSXBW   (DI), Z18
	VPMOVSXBW   32(DI), Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z0, Z0
	VPADDD      Z19, Z8, Z8
	VPMOVSXBW   (R8), Z20
	VPMOVSXBW   32(R8), Z21
	VPMADDWD    Z16, Z20, Z20
	VPMADDWD    Z17, Z21, Z21
	VPADDD      Z20, Z1, Z1
	VPADDD      Z21, Z9, Z9
	VPMOVSXBW   (R9), Z22
	VPMOVSXBW   32(R9), Z23
	VPMADDWD    Z16, Z22, Z22
	VPMADDWD    Z17, Z23, Z23
	VPADDD      Z22, Z2, Z2
	VPADDD      Z23, Z10, Z10
	VPMOVSXBW   (R10), Z24
	VPMOVSXBW   32(R10), Z25
	VPMADDWD    Z16, Z24, Z24
	VPMADDWD    Z17, Z25, Z25
	VPADDD      Z24, Z3, Z3
	VPADDD      Z25, Z11, Z11
	ADDQ        $64, SI
	ADDQ        $64, DI
	ADDQ        $64, R8
	ADDQ        $64, R9
	ADDQ        $64, R10
	SUBQ        $64, CX
	JGE         wide

rest:
	ADDQ        $64, CX
	JZ          sum
	MASKB
	VMOVDQU8.Z  (SI), K1, Z20
	VPMOVSXBW   Y20, Z16
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z17
	VMOVDQU8.Z  (DI), K1, Z20
	VPMOVSXBW   Y20, Z18
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z0, Z0
	VPADDD      Z19, Z8, Z8
	VMOVDQU8.Z  (R8), K1, Z20
	VPMOVSXBW   Y20, Z18
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z1, Z1
	VPADDD      Z19, Z9, Z9
	VMOVDQU8.Z  (R9), K1, Z20
	VPMOVSXBW   Y20, Z18
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z2, Z2
	VPADDD      Z19, Z10, Z10
	VMOVDQU8.Z  (R10), K1, Z20
	VPMOVSXBW   Y20, Z18
	VEXTRACTI64X4 $1, Z20, Y20
	VPMOVSXBW   Y20, Z19
	VPMADDWD    Z16, Z18, Z18
	VPMADDWD    Z17, Z19, Z19
	VPADDD      Z18, Z3, Z3
	VPADDD      Z19, Z11, Z11

sum:
	VPADDD      Z8, Z0, Z0
	FOLD(Z0, Y0, Y8, X0, X8)
	VPADDD      Z9, Z1, Z1
	FOLD(Z1, Y1, Y9, X1, X9)
	VPADDD      Z10, Z2, Z2
	FOLD(Z2, Y2, Y10, X2, X10)
	VPADDD      Z11, Z3, Z3
	FOLD(Z3, Y3, Y11, X3, X11)
	VPHADDD     X1, X0, X0
	VPHADDD     X3, X2, X2
	VPHADDD     X2, X0, X0
	VMOVDQU     X0, (DX)
	VZEROUPPER
	RET

// func dotInt8VNNI(a, b *int8, n int) int32
TEXT ·dotInt8VNNI(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	MOVL        $0x01010101, AX
	VPBROADCASTD AX, Z30
	MOVL        $0x80808080, AX
	VPBROADCASTD AX, Z31
	VPXORD      Z28, Z28, Z28
	VPXORD      Z29, Z29, Z29
	VPXORD      Z0, Z0, Z0
	VPXORD      Z8, Z8, Z8
	SUBQ        $128, CX
	JLT         rest

wide:
	VMOVDQU8    (SI), Z16
	VMOVDQU8    64(SI), Z17
	VPDPBUSD    Z16, Z30, Z28
	VPDPBUSD    Z17, Z30, Z29
	VPXORD      (DI), Z31, Z18
	VPXORD      64(DI), Z31, Z19
	VPDPBUSD    Z16, Z18, Z0
	VPDPBUSD    Z17, Z19, Z8
	ADDQ        $128, SI
	ADDQ        $128, DI
	SUBQ        $128, CX
	JGE         wide

rest:
	ADDQ        $64, CX
	JLT         tail
	VMOVDQU8    (SI), Z16
	VPDPBUSD    Z16, Z30, Z28
	VPXORD      (DI), Z31, Z18
	VPDPBUSD    Z16, Z18, Z0
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $64, CX

tail:
	ADDQ        $64, CX
	JZ          sum
	MASKB
	VMOVDQU8.Z  (SI), K1, Z16
	VPDPBUSD    Z16, Z30, Z29
	VMOVDQU8.Z  (DI), K1, Z18
	VPXORD      Z18, Z31, Z18
	VPDPBUSD    Z16, Z18, Z8

sum:
	VPADDD      Z29, Z28, Z28
	VPSLLD      $7, Z28, Z28
	VPADDD      Z8, Z0, Z0
	VPSUBD      Z28, Z0, Z0
	FOLD(Z0, Y0, Y8, X0, X8)
	VPHADDD     X0, X0, X0
	VPHADDD     X0, X0, X0
	VMOVD       X0, AX
	VZEROUPPER
	MOVL        AX, ret+24(FP)
	RET

// func dotInt84VNNI(q, a, b, c, d *int8, n int, r *[4]int32)
TEXT ·dotInt84VNNI(SB), NOSPLIT, $0-56
	MOVQ        q+0(FP), SI
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        c+24(FP), R9
	MOVQ        d+32(FP), R10
	MOVQ        n+40(FP), CX
	MOVQ        r+48(FP), DX
	MOVL        $0x01010101, AX
	VPBROADCASTD AX, Z30
	MOVL        $0x80808080, AX
	VPBROADCASTD AX, Z31
	VPXORD      Z28, Z28, Z28
	VPXORD      Z29, Z29, Z29
	VPXORD      Z0, Z0, Z0
	VPXORD      Z8, Z8, Z8
	VPXORD      Z1, Z1, Z1
	VPXORD      Z9, Z9, Z9
	VPXORD      Z2, Z2, Z2
	VPXORD      Z10, Z10, Z10
	VPXORD      Z3, Z3, Z3
	VPXORD      Z11, Z11, Z11
	SUBQ        $128, CX
	JLT         rest

wide:
	VMOVDQU8    (SI), Z16
	VMOVDQU8    64(SI), Z17
	VPDPBUSD    Z16, Z30, Z28
	VPDPBUSD    Z17, Z30, Z29
	VPXORD      (DI), Z31, Z18
	VPXORD      64(DI), Z31, Z19
	VPDPBUSD    Z16, Z18, Z0
	VPDPBUSD    Z17, Z19, Z8
	VPXORD      (R8), Z31, Z20
	VPXORD      64(R8), Z31, Z21
	VPDPBUSD    Z16, Z20, Z1
	VPDPBUSD    Z17, Z21, Z9
	VPXORD      (R9), Z31, Z22
	VPXORD      64(R9), Z31, Z23
	VPDPBUSD    Z16, Z22, Z2
	VPDPBUSD    Z17, Z23, Z10
	VPXORD      (R10), Z31, Z24
	VPXORD      64(R10), Z31, Z25
	VPDPBUSD    Z16, Z24, Z3
	VPDPBUSD    Z17, Z25, Z11
	ADDQ        $128, SI
	ADDQ        $128, DI
	ADDQ        $128, R8
	ADDQ        $128, R9
	ADDQ        $128, R10
	SUBQ        $128, CX
	JGE         wide

rest:
	ADDQ        $64, CX
	JLT         tail
	VMOVDQU8    (SI), Z16
	VPDPBUSD    Z16, Z30, Z28
	VPXORD      (DI), Z31, Z18
	VPDPBUSD    Z16, Z18, Z0
	VPXORD      (R8), Z31, Z19
	VPDPBUSD    Z16, Z19, Z1
	VPXORD      (R9), Z31, Z20
	VPDPBUSD    Z16, Z20, Z2
	VPXORD      (R10), Z31, Z21
	VPDPBUSD    Z16, Z21, Z3
	ADDQ        $64, SI
	ADDQ        $64, DI
	ADDQ        $64, R8
	ADDQ        $64, R9
	ADDQ        $64, R10
	SUBQ        $64, CX

tail:
	ADDQ        $64, CX
	JZ          sum
	MASKB
	VMOVDQU8.Z  (SI), K1, Z16
	VPDPBUSD    Z16, Z30, Z29
	VMOVDQU8.Z  (DI), K1, Z18
	VPXORD      Z18, Z31, Z18
	VPDPBUSD    Z16, Z18, Z8
	VMOVDQU8.Z  (R8), K1, Z19
	VPXORD      Z19, Z31, Z19
	VPDPBUSD    Z16, Z19, Z9
	VMOVDQU8.Z  (R9), K1, Z20
	VPXORD      Z20, Z31, Z20
	VPDPBUSD    Z16, Z20, Z10
	VMOVDQU8.Z  (R10), K1, Z21
	VPXORD      Z21, Z31, Z21
	VPDPBUSD    Z16, Z21, Z11

sum:
	VPADDD      Z29, Z28, Z28
	VPSLLD      $7, Z28, Z28
	VPADDD      Z8, Z0, Z0
	VPSUBD      Z28, Z0, Z0
	FOLD(Z0, Y0, Y8, X0, X8)
	VPADDD      Z9, Z1, Z1
	VPSUBD      Z28, Z1, Z1
	FOLD(Z1, Y1, Y9, X1, X9)
	VPADDD      Z10, Z2, Z2
	VPSUBD      Z28, Z2, Z2
	FOLD(Z2, Y2, Y10, X2, X10)
	VPADDD      Z11, Z3, Z3
	VPSUBD      Z28, Z3, Z3
	FOLD(Z3, Y3, Y11, X3, X11)
	VPHADDD     X1, X0, X0
	VPHADDD     X3, X2, X2
	VPHADDD     X2, X0, X0
	VMOVDQU     X0, (DX)
	VZEROUPPER
	RET
