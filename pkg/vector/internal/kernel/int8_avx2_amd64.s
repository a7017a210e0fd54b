#include "textflag.h"

// int8 in 256-bit registers: bytes are widened to 16 bits, products of two neighbours added up in 32
// (VPMADDWD cannot overflow there: 2*128*128). Integer sums wrap around, so their order does not
// matter. Rests of fewer than sixteen are done one by one.

// func dotInt8AVX2(a, b *int8, n int) int32
TEXT ·dotInt8AVX2(SB), NOSPLIT, $0-28
	MOVQ        a+0(FP), SI
	MOVQ        b+8(FP), DI
	MOVQ        n+16(FP), CX
	VPXOR       Y0, Y0, Y0
	VPXOR       Y1, Y1, Y1
	SUBQ        $32, CX
	JLT         rest

wide:
	VPMOVSXBW   (SI), Y8
	VPMOVSXBW   16(SI), Y9
	VPMOVSXBW   (DI), Y10
	VPMOVSXBW   16(DI), Y11
	VPMADDWD    Y8, Y10, Y10
	VPMADDWD    Y9, Y11, Y11
	VPADDD      Y10, Y0, Y0
	VPADDD      Y11, Y1, Y1
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $16, CX
	JLT         sum
	VPMOVSXBW   (SI), Y8
	VPMOVSXBW   (DI), Y10
	VPMADDWD    Y8, Y10, Y10
	VPADDD      Y10, Y0, Y0
	ADDQ        $16, SI
	ADDQ        $16, DI
	SUBQ        $16, CX

sum:
	ADDQ        $16, CX
	VPADDD      Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD      X1, X0, X0
	VPHADDD     X0, X0, X0
	VPHADDD     X0, X0, X0
	VMOVD       X0, AX
	VZEROUPPER
	TESTQ       CX, CX
	JZ          done

one:
	MOVBLSX     (SI), R11
	MOVBLSX     (DI), R12
	IMULL       R12, R11
	ADDL        R11, AX
	INCQ        SI
	INCQ        DI
	DECQ        CX
	JNZ         one

done:
	MOVL        AX, ret+24(FP)
	RET

// func dotInt84AVX2(q, a, b, c, d *int8, n int, r *[4]int32)
TEXT ·dotInt84AVX2(SB), NOSPLIT, $0-56
	MOVQ        q+0(FP), SI
	MOVQ        a+8(FP), DI
	MOVQ        b+16(FP), R8
	MOVQ        c+24(FP), R9
	MOVQ        d+32(FP), R10
	MOVQ        n+40(FP), CX
	MOVQ        r+48(FP), DX
	VPXOR       Y0, Y0, Y0
	VPXOR       Y1, Y1, Y1
	VPXOR       Y2, Y2, Y2
	VPXOR       Y3, Y3, Y3
	VPXOR       Y4, Y4, Y4
	VPXOR       Y5, Y5, Y5
	VPXOR       Y6, Y6, Y6
	VPXOR       Y7, Y7, Y7
	SUBQ        $32, CX
	JLT         rest

wide:
	VPMOVSXBW   (SI), Y8
	VPMOVSXBW   16(SI), Y9
	VPMOVSXBW   (DI), Y10
	VPMOVSXBW   16(DI), Y11
	VPMADDWD    Y8, Y10, Y10
	VPMADDWD    Y9, Y11, Y11
	VPADDD      Y10, Y0, Y0
	VPADDD      Y11, Y1, Y1
	VPMOVSXBW   (R8), Y12
	VPMOVSXBW   16(R8), Y13
	VPMADDWD    Y8, Y12, Y12
	VPMADDWD    Y9, Y13, Y13
	VPADDD      Y12, Y2, Y2
	VPADDD      Y13, Y3, Y3
	VPMOVSXBW   (R9), Y10
	VPMOVSXBW   16(R9), Y11
	VPMADDWD    Y8, Y10, Y10
	VPMADDWD    Y9, Y11, Y11
	VPADDD      Y10, Y4, Y4
	VPADDD      Y11, Y5, Y5
	VPMOVSXBW   (R10), Y12
	VPMOVSXBW   16(R10), Y13
	VPMADDWD    Y8, Y12, Y12
	VPMADDWD    Y9, Y13, Y13
	VPADDD      Y12, Y6, Y6
	VPADDD      Y13, Y7, Y7
	ADDQ        $32, SI
	ADDQ        $32, DI
	ADDQ        $32, R8
	ADDQ        $32, R9
	ADDQ        $32, R10
	SUBQ        $32, CX
	JGE         wide

rest:
	ADDQ        $16, CX
	JLT         sum
	VPMOVSXBW   (SI), Y8
	VPMOVSXBW   (DI), Y10
	VPMADDWD    Y8, Y10, Y10
	VPADDD      Y10, Y0, Y0
	VPMOVSXBW   (R8), Y11
	VPMADDWD    Y8, Y11, Y11
	VPADDD      Y11, Y2, Y2
	VPMOVSXBW   (R9), Y12
	VPMADDWD    Y8, Y12, Y12
	VPADDD      Y12, Y4, Y4
	VPMOVSXBW   (R10), Y13
	VPMADDWD    Y8, Y13, Y13
	VPADDD      Y13, Y6, Y6
	ADDQ        $16, SI
	ADDQ        $16, DI
	ADDQ        $16, R8
	ADDQ        $16, R9
	ADDQ        $16, R10
	SUBQ        $16, CX

sum:
	ADDQ        $16, CX
	VPADDD      Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD      X1, X0, X0
	VPADDD      Y3, Y2, Y2
	VEXTRACTI128 $1, Y2, X3
	VPADDD      X3, X2, X2
	VPADDD      Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPADDD      X5, X4, X4
	VPADDD      Y7, Y6, Y6
	VEXTRACTI128 $1, Y6, X7
	VPADDD      X7, X6, X6
	VPHADDD     X2, X0, X0
	VPHADDD     X6, X4, X4
	VPHADDD     X4, X0, X0
	VMOVDQU     X0, (DX)
	VZEROUPPER
	TESTQ       CX, CX
	JZ          done

one:
	MOVBLSX     (SI), R11
	MOVBLSX     (DI), R12
	IMULL       R11, R12
	ADDL        R12, (DX)
	INCQ        DI
	MOVBLSX     (R8), R12
	IMULL       R11, R12
	ADDL        R12, 4(DX)
	INCQ        R8
	MOVBLSX     (R9), R12
	IMULL       R11, R12
	ADDL        R12, 8(DX)
	INCQ        R9
	MOVBLSX     (R10), R12
	IMULL       R11, R12
	ADDL        R12, 12(DX)
	INCQ        R10
	INCQ        SI
	DECQ        CX
	JNZ         one

done:
	RET
