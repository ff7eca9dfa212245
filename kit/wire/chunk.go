package wire

import (
	"math"

	"github.com/trellis-go/trellis/kit/fault"
)

// chunks follows a chunked body up to its trailers, in pieces of any size.
type chunks struct {
	state     chunkState
	digits    uint8
	extension uint16 // bytes, of all chunks
	left      uint64 // of the chunk
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterSize // the LF
	inData
	afterData // CR
	afterCR
)

// scan returns how much of b belongs to the chunks, up to where something is
// wrong, and whether it has the last of them.
func (k *chunks) scan(b []byte) (n int, last bool, bad *fault.Error) {
	for n < len(b) {
		if k.state == inData {
			m := min(uint64(len(b)-n), k.left)
			n += int(m)
			if k.left -= m; k.left == 0 {
				k.state = afterData
			}
			continue
		}
		if bad = k.step(b[n]); bad != nil {
			return n, false, bad
		}
		n++
		if k.state == inData && k.left == 0 {
			return n, true, nil
		}
	}
	return n, false, nil
}

// step takes one byte that is not data.
func (k *chunks) step(c byte) *fault.Error {
	switch k.state {
	case inSize:
		switch digit := unhex(c); {
		case digit < 16 && k.digits < 16:
			k.digits++
			k.left = k.left<<4 | uint64(digit)
		case k.digits == 0:
			return errChunkSize
		case c == '\r':
			k.state = afterSize
		case c == ';':
			k.state = inExtension
			return k.extend()
		default:
			return errChunkSize
		}
	case inExtension:
		if c == '\r' {
			k.state = afterSize
			return nil
		}
		if class[c]&valueByte == 0 {
			return errExtension
		}
		return k.extend()
	case afterSize:
		if c != '\n' {
			return errLineEnd
		}
		if k.left > math.MaxInt64 {
			return errChunkSize
		}
		k.state = inData
	case afterData:
		if c != '\r' {
			return errChunkEnd
		}
		k.state = afterCR
	case afterCR:
		if c != '\n' {
			return errChunkEnd
		}
		k.state, k.digits = inSize, 0
	}
	return nil
}

func (k *chunks) extend() *fault.Error {
	if k.extension++; k.extension > maxExtension {
		return errExtension
	}
	return nil
}

// unhex is a digit's value, or 16.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}
