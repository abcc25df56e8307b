package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var y = [16]VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}

// avx2 emits a kernel of two sets of 8 lanes. Each step of a set waits for the step before
// it, so the steps of the other set fill the gaps. That uses the whole CPU, so the
// transposition is not woven in but comes before the steps.
func avx2() {
	k := GLOBL("md5avx2k", RODATA|NOPTR)
	for i := range 64 {
		v := constant(i)
		if i >= 48 {
			v-- // the fourth round subtracts the complement of its function: -x = ^x + 1
		}
		for lane := range 8 {
			DATA(32*i+4*lane, U32(v))
		}
	}
	swap := GLOBL("md5avx2swap", RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, U64(0x0504070601000302+uint64(i%2)*0x0808080808080808))
	}

	TEXT("blockAVX2", NOSPLIT, signature)
	Pragma("noescape")
	Doc("blockAVX2 hashes blocks (at least one) of 64 bytes of each of 16 lanes.")
	dig, ptr, scratch, n, off := RDI, RSI, R8, RCX, RDX
	Load(Param("dig"), dig)
	Load(Param("ptr"), ptr)
	Load(Param("scratch"), scratch)
	Load(Param("blocks"), n)
	XORQ(off, off)
	half := y[15] // the shuffle that rotates words by 16 bits
	VMOVDQU(swap.Offset(0), half)

	Label("loop")
	for s := range 2 {
		transpose8(ptr, off, scratch, s)
	}
	for s := range 2 {
		for w := range 4 {
			VMOVDQU(Mem{Base: dig, Disp: 64*w + 32*s}, y[4*s+w])
		}
	}
	for i := range 64 {
		// The names a, b, c, d move on by one state word in each step.
		a, b, c, d := (64-i)%4, (65-i)%4, (66-i)%4, (67-i)%4
		each := func(f func(a, b, c, d, t, u Register)) {
			for s := range 2 {
				r := y[4*s:]
				f(r[a], r[b], r[c], r[d], y[8+2*s], y[9+2*s])
			}
		}
		for s := range 2 {
			VPADDD(Mem{Base: scratch, Disp: 64*word(i) + 32*s}, y[4*s+a], y[4*s+a])
		}
		each(func(a, _, _, _, _, _ Register) { VPADDD(k.Offset(32*i), a, a) })
		switch i / 16 {
		case 0: // ((c ^ d) & b) ^ d
			each(func(a, b, c, d, t, u Register) { VPXOR(c, d, t) })
			each(func(a, b, c, d, t, u Register) { VPAND(b, t, t) })
			each(func(a, b, c, d, t, u Register) { VPXOR(d, t, t) })
			each(func(a, b, c, d, t, u Register) { VPADDD(t, a, a) })
		case 1: // (^d & c) + (d & b)
			each(func(a, b, c, d, t, u Register) { VPANDN(c, d, t) })
			each(func(a, b, c, d, t, u Register) { VPAND(b, d, u) })
			each(func(a, b, c, d, t, u Register) { VPADDD(t, a, a) })
			each(func(a, b, c, d, t, u Register) { VPADDD(u, a, a) })
		case 2: // b ^ c ^ d
			each(func(a, b, c, d, t, u Register) { VPXOR(c, d, t) })
			each(func(a, b, c, d, t, u Register) { VPXOR(b, t, t) })
			each(func(a, b, c, d, t, u Register) { VPADDD(t, a, a) })
		case 3: // c ^ (b | ^d) = ^(c ^ (^b & d))
			each(func(a, b, c, d, t, u Register) { VPANDN(d, b, t) })
			each(func(a, b, c, d, t, u Register) { VPXOR(c, t, t) })
			each(func(a, b, c, d, t, u Register) { VPSUBD(t, a, a) })
		}
		if turn := shifts[i/16][i%4]; turn == 16 {
			each(func(a, b, c, d, t, u Register) { VPSHUFB(half, a, a) })
		} else {
			each(func(a, b, c, d, t, u Register) { VPSLLD(Imm(turn), a, t) })
			each(func(a, b, c, d, t, u Register) { VPSRLD(Imm(32-turn), a, a) })
			each(func(a, b, c, d, t, u Register) { VPOR(t, a, a) })
		}
		each(func(a, b, c, d, t, u Register) { VPADDD(b, a, a) })
	}
	for s := range 2 {
		for w := range 4 {
			m := Mem{Base: dig, Disp: 64*w + 32*s}
			VPADDD(m, y[4*s+w], y[4*s+w])
			VMOVDQU(y[4*s+w], m)
		}
	}
	ADDQ(Imm(64), off)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// transpose8 emits the transposition of the block at off of the lanes of set s: scratch gets
// one row for each word. It does four words at a time, and uses y0 to y14, alternating
// between two groups of registers.
func transpose8(ptr, off, scratch GPPhysical, s int) {
	gp := []GPPhysical{RAX, RBX, R9, R10, R11, R12, R13, R14}
	for lane := range 8 {
		MOVQ(Mem{Base: ptr, Disp: 8 * (8*s + lane)}, gp[lane])
		ADDQ(off, gp[lane])
	}
	for q := range 4 {
		r, t := y[q%2*7:][:4], y[q%2*7+4:][:3]
		for i := range 4 {
			VMOVDQU(Mem{Base: gp[i], Disp: 16 * q}, r[i].AsX())
			VINSERTI128(Imm(1), Mem{Base: gp[4+i], Disp: 16 * q}, r[i], r[i])
		}
		VPUNPCKLDQ(r[1], r[0], t[0])
		VPUNPCKHDQ(r[1], r[0], t[1])
		VPUNPCKLDQ(r[3], r[2], t[2])
		VPUNPCKHDQ(r[3], r[2], r[3])
		VPUNPCKLQDQ(t[2], t[0], r[0])
		VPUNPCKHQDQ(t[2], t[0], r[1])
		VPUNPCKLQDQ(r[3], t[1], r[2])
		VPUNPCKHQDQ(r[3], t[1], t[0])
		for i, v := range []VecPhysical{r[0], r[1], r[2], t[0]} {
			VMOVDQU(v, Mem{Base: scratch, Disp: 64*(4*q+i) + 32*s})
		}
	}
}
