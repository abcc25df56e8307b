package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var z = [32]VecPhysical{
	Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
	Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
}

// ternary holds the truth tables by which VPTERNLOGD computes the functions of the four
// rounds from b, c and d.
var ternary = [4]uint64{0xCA, 0xE4, 0x96, 0x39}

// density is how many instructions of the next block's transposition follow each of the
// first steps. If they are spread evenly over all 64 steps, they delay the chain of steps on
// AMD (Zen 4) by a tenth, because they compete for its ports. If they come all at once, they
// delay it on every machine.
const density = 8

// avx512 emits a kernel of 16 lanes, with one register for each state word. A step waits for
// the step before it, so half of the CPU would idle. The transposition of the next block into
// the other half of scratch is therefore woven into the steps of the current block.
func avx512() {
	k := GLOBL("md5avx512k", RODATA|NOPTR)
	for i := range 64 {
		DATA(4*i, U32(constant(i)))
	}

	TEXT("blockAVX512", NOSPLIT, signature)
	Pragma("noescape")
	Doc("blockAVX512 hashes blocks (at least one) of 64 bytes of each of 16 lanes.")
	dig, ptr, scratch, other, n, off := RDI, RSI, R8, R9, RCX, RDX
	Load(Param("dig"), dig)
	Load(Param("ptr"), ptr)
	Load(Param("scratch"), scratch)
	Load(Param("blocks"), n)
	XORQ(off, off)
	LEAQ(Mem{Base: scratch, Disp: 1024}, other)
	for w := range 4 {
		VMOVDQU32(Mem{Base: dig, Disp: 64 * w}, z[w])
	}
	for _, emit := range transposition(ptr, off, scratch) {
		emit()
	}

	Label("loop")
	Comment("The last block is transposed twice, since there is no next one to read.")
	XORL(EAX, EAX)
	MOVL(U32(64), EBX)
	CMPQ(n, Imm(1))
	CMOVQNE(RBX, RAX)
	ADDQ(RAX, off)
	next := transposition(ptr, off, other)
	a, b, c, d := z[0], z[1], z[2], z[3]
	for i := range 64 {
		f := z[8+i%2]
		VPADDD(Mem{Base: scratch, Disp: 64 * word(i)}, a, a)
		VPADDD_BCST(k.Offset(4*i), a, a)
		VMOVDQA32(b, f)
		VPTERNLOGD(Imm(ternary[i/16]), d, c, f)
		VPADDD(f, a, a)
		VPROLD(Imm(shifts[i/16][i%4]), a, a)
		VPADDD(b, a, a)
		a, b, c, d = d, a, b, c
		now := min(density, len(next))
		for _, emit := range next[:now] {
			emit()
		}
		next = next[now:]
	}
	for w := range 4 {
		VPADDD(Mem{Base: dig, Disp: 64 * w}, z[w], z[w])
		VMOVDQU32(z[w], Mem{Base: dig, Disp: 64 * w})
	}
	XCHGQ(scratch, other)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// transposition returns functions that emit, in order, the instructions that transpose the
// block at off of all lanes: dst gets one row, as wide as a register, for each word. They use
// z12 to z31, RAX and RBX.
func transposition(ptr, off, dst GPPhysical) []func() {
	var code []func()
	add := func(f func()) { code = append(code, f) }
	rows, spare := z[12:28], z[28:]
	// rows[8p+4h+i] holds half h of lane 8p+i, beside it half h of lane 8p+4+i.
	for q := range 4 {
		r, p, h := rows[4*q:4*q+4], q/2, q%2
		for i := range 4 {
			add(func() {
				MOVQ(Mem{Base: ptr, Disp: 8 * (8*p + i)}, RAX)
				VMOVDQU32(Mem{Base: RAX, Index: off, Scale: 1, Disp: 32 * h}, r[i].AsY())
			})
			add(func() {
				MOVQ(Mem{Base: ptr, Disp: 8 * (8*p + 4 + i)}, RBX)
				VINSERTI64X4(Imm(1), Mem{Base: RBX, Index: off, Scale: 1, Disp: 32 * h}, r[i], r[i])
			})
		}
		add(func() { VPUNPCKLDQ(r[1], r[0], spare[0]) })
		add(func() { VPUNPCKHDQ(r[1], r[0], spare[1]) })
		add(func() { VPUNPCKLDQ(r[3], r[2], spare[2]) })
		add(func() { VPUNPCKHDQ(r[3], r[2], spare[3]) })
		add(func() { VPUNPCKLQDQ(spare[2], spare[0], r[0]) })
		add(func() { VPUNPCKHQDQ(spare[2], spare[0], r[1]) })
		add(func() { VPUNPCKLQDQ(spare[3], spare[1], r[2]) })
		add(func() { VPUNPCKHQDQ(spare[3], spare[1], r[3]) })
	}
	// Now rows[8p+4h+j] holds words 8h+j and 8h+4+j of lanes 8p to 8p+3, then of 8p+4 to 8p+7.
	for h := range 2 {
		for j := range 4 {
			low, high, t := rows[4*h+j], rows[8+4*h+j], spare[j%2*2:]
			add(func() { VSHUFI32X4(Imm(0x88), high, low, t[0]) })
			add(func() { VSHUFI32X4(Imm(0xDD), high, low, t[1]) })
			add(func() { VMOVDQU32(t[0], Mem{Base: dst, Disp: 64 * (8*h + j)}) })
			add(func() { VMOVDQU32(t[1], Mem{Base: dst, Disp: 64 * (8*h + 4 + j)}) })
		}
	}
	return code
}
