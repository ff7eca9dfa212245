package gateway

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// ends are the offsets at which frames end, as RFC 6455, 5.2, has it.
func ends(all []byte) (at []int) {
	for rest := all; len(rest) >= 2; {
		size, head := uint64(rest[1]&0x7f), 2
		switch size {
		case 126:
			head = 4
		case 127:
			head = 10
		}
		if len(rest) < head {
			return at
		}
		switch head {
		case 4:
			size = uint64(binary.BigEndian.Uint16(rest[2:]))
		case 10:
			size = binary.BigEndian.Uint64(rest[2:])
		}
		if rest[1]&0x80 != 0 {
			head += 4
		}
		if len(rest) < head || uint64(len(rest)-head) < size {
			return at
		}
		rest = rest[head+int(size):]
		at = append(at, len(all)-len(rest))
	}
	return at
}

// CheckFrames passes bytes in pieces of the given sizes and, after so many
// pieces, stops at the next end of a frame.
func CheckFrames(t *testing.T, all, sizes []byte, after byte) {
	var f frames
	passed, whole := 0, map[int]bool{0: true}
	for _, at := range ends(all) {
		whole[at] = true
	}
	for i := 0; passed < len(all); i++ {
		piece := all[passed:]
		if len(sizes) > 0 {
			piece = piece[:min(len(piece), 1+int(sizes[i%len(sizes)]))]
		}
		stop := i >= int(after)
		if stop && f.between() {
			break
		}
		n := f.pass(bytes.Clone(piece), stop)
		want := len(piece)
		if stop {
			for j := 1; j <= len(piece); j++ {
				if whole[passed+j] {
					want = j
					break
				}
			}
		}
		if n != want {
			t.Fatalf("at %d: passed %d of %d, want %d", passed, n, len(piece), want)
		}
		passed += n
		if f.between() != whole[passed] {
			t.Fatalf("at %d: between frames: %v", passed, f.between())
		}
	}
}
