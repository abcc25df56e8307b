package flagvalue

import "testing"

func TestSlots(t *testing.T) {
	for text, want := range map[string]Slots{"auto": 0, "1": 1, "64": 64, "1000": 1000} {
		var s Slots
		if err := s.Set(text); err != nil || s != want || s.String() != text {
			t.Errorf("%q is %d (%s), %v", text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "many", "1.5", "Auto", "0", "-3"} {
		if err := new(Slots).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "7": 7, "4GiB": 4 << 30, "500MB": 500e6, "1 KiB": 1024, "12B": 12} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q is %d, %v", text, s, err)
		}
	}
}

func TestMemory(t *testing.T) {
	for text, want := range map[string]Memory{"auto": 0, "1": 1, "1000": 1000, "256MiB": 256 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40} {
		var m Memory
		if err := m.Set(text); err != nil || m != want || m.String() != text {
			t.Errorf("%q is %d (%s), %v", text, m, m.String(), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5GiB", "9223372036854775807KiB"} {
		if err := new(Memory).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
