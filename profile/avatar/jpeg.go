package avatar

import (
	"encoding/binary"
	"errors"
	"image"
)

// maxScans bounds the passes of a progressive JPEG. Each goes over the whole
// picture, and takes a few bytes: a small file could keep us busy for hours.
// Encoders make ten or so.
const maxScans = 64

// Markers of a JPEG (ITU-T T.81, table B.1).
const (
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markAPP1 = 0xe1
	markSOF0 = 0xc0
	markSOF1 = 0xc1
	markSOF2 = 0xc2 // progressive
)

// segments calls f with each segment of a JPEG until f returns false.
func segments(body []byte, f func(mark byte, of []byte) bool) {
	for at := 2; at+4 <= len(body); {
		if body[at] != 0xff {
			at++ // between segments, and in a scan
			continue
		}
		mark := body[at+1]
		if mark == 0 || mark == 0xff || mark == 1 || mark >= 0xd0 && mark <= markSOI {
			at++ // an escaped 0xff, filling, or a mark without a segment
			if mark != 0xff {
				at++
			}
			continue
		}
		if mark == markEOI {
			return
		}
		size := int(binary.BigEndian.Uint16(body[at+2:]))
		if size < 2 || at+2+size > len(body) {
			return
		}
		if !f(mark, body[at+4:at+2+size]) {
			return
		}
		at += 2 + size
	}
}

// jpegMemory is what it takes to decode a JPEG: a progressive one is kept as
// coefficients until its last scan.
func jpegMemory(body []byte, _ image.Config) (perPixel int64, err error) {
	channels, scans, progressive := int64(3), 0, false
	segments(body, func(mark byte, of []byte) bool {
		switch mark {
		case markSOF0, markSOF1, markSOF2:
			progressive = mark == markSOF2
			if len(of) > 5 {
				channels = int64(of[5])
			}
		case markSOS:
			scans++
		}
		return scans <= maxScans
	})
	if scans > maxScans {
		return 0, ErrUnreadable.Because(errors.New("too many scans"))
	}
	perPixel = channels
	if progressive {
		perPixel += 4 * channels
	}
	if channels > 3 { // CMYK is made a picture of its own
		perPixel += 4
	}
	return perPixel, nil
}

// orientation is how a camera was held (Exif 2.3, 4.6.4, tag 274): 1 to 8.
func orientation(body []byte) (held int) {
	held = 1
	segments(body, func(mark byte, of []byte) bool {
		if mark != markAPP1 || len(of) < 14 || string(of[:6]) != "Exif\x00\x00" {
			return mark != markSOS
		}
		held = tiffOrientation(of[6:])
		return false
	})
	return held
}

func tiffOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 274 {
			if held := int(order.Uint16(entries[8:])); held >= 1 && held <= 8 {
				return held
			}
			break
		}
		entries = entries[12:]
	}
	return 1
}

// turn makes a square upright that was taken with the camera held so.
func turn(p *image.RGBA, held int) *image.RGBA {
	if held <= 1 {
		return p
	}
	const last = Side - 1
	turned := image.NewRGBA(p.Bounds())
	for y := range Side {
		for x := range Side {
			fromX, fromY := x, y
			switch held {
			case 2:
				fromX = last - x
			case 3:
				fromX, fromY = last-x, last-y
			case 4:
				fromY = last - y
			case 5:
				fromX, fromY = y, x
			case 6:
				fromX, fromY = y, last-x
			case 7:
				fromX, fromY = last-y, last-x
			case 8:
				fromX, fromY = last-y, x
			}
			copy(turned.Pix[turned.PixOffset(x, y):][:4], p.Pix[p.PixOffset(fromX, fromY):][:4])
		}
	}
	return turned
}
