package main

import "testing"

func TestSlots(t *testing.T) {
	for text, want := range map[string]slots{"auto": autoSlots, "1": 1, "1000": 1000, "0": 0, "-3": -3} {
		var s slots
		if err := s.Set(text); err != nil || s != want || s.String() != text {
			t.Errorf("%q is %d (%s), %v", text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "many", "1.5", "Auto"} {
		if err := new(slots).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]memorySize{"auto": 0, "1": 1, "1000": 1000, "256MiB": 256 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40} {
		var b memorySize
		if err := b.Set(text); err != nil || b != want || b.String() != text {
			t.Errorf("%q is %d (%s), %v", text, b, b.String(), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5GiB", "9223372036854775807KiB"} {
		if err := new(memorySize).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
