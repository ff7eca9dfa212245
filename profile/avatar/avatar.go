// Package avatar makes of the picture that a user sends one that is fit to be
// shown to others: a small square, drawn anew, with nothing of the file left.
package avatar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"github.com/trellis-go/trellis/kit/fault"
	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// Bounds of what is taken, and the side of what is made.
const (
	MaxBytes  = 5 << 20
	MaxSide   = 8192
	MaxPixels = 24_000_000
	Side      = 512
)

// quality is what is made of an opaque picture.
const quality = 88

// Image is a picture as it is served.
type Image struct {
	Type string // its media type
	Hash string // of Data: as good as its name
	Data []byte
}

func newImage(kind string, data []byte) Image {
	sum := sha256.Sum256(data)
	return Image{kind, hex.EncodeToString(sum[:12]), data}
}

// Maker makes avatars, as many at once as its memory has room for.
type Maker struct {
	memory int64
	room   *semaphore.Weighted
}

// NewMaker returns a maker that works in so many bytes of memory. A picture that
// alone needs more is refused.
func NewMaker(memory int64) *Maker { return &Maker{memory, semaphore.NewWeighted(memory)} }

var (
	ErrType       = fault.New(fault.Unsupported, "unsupported_image", "This is no PNG, JPEG or WebP image. Send one of these, with its own media type.")
	ErrTooLarge   = fault.New(fault.Invalid, "image_too_large", "The image is larger than %d pixels a side or %d megapixels.", MaxSide, MaxPixels/1_000_000)
	ErrUnreadable = fault.New(fault.Invalid, "image_unreadable", "The image is damaged, or of a kind that cannot be read.")
)

// Make makes an avatar of a picture that is said to be of a media type. What it
// is, its content says; when that is at odds it is refused.
func (m *Maker) Make(ctx context.Context, body []byte, said string) (img Image, err error) {
	f, ok := formatOf(body)
	if !ok {
		return img, ErrType
	}
	if said != f.media {
		return img, fault.New(ErrType.Kind, ErrType.Code, "The image is %s. Send it as that.", f.media)
	}
	need, err := f.need(body)
	if err != nil {
		return img, err
	}
	if need > m.memory {
		return img, ErrTooLarge
	}
	if err := m.room.Acquire(ctx, need); err != nil {
		return img, err
	}
	defer m.room.Release(need)
	defer func() {
		if p := recover(); p != nil { // a decoder met what it did not expect
			img, err = Image{}, ErrUnreadable.Because(fmt.Errorf("panic: %v", p))
		}
	}()
	picture, err := f.decode(bytes.NewReader(body))
	if err != nil {
		return img, ErrUnreadable.Because(err)
	}
	small := turn(square(picture), f.orientation(body))
	return encode(small)
}

// format is one kind of picture.
type format struct {
	media       string
	config      func(body []byte) (image.Config, error)
	decode      func(*bytes.Reader) (image.Image, error)
	memory      func(body []byte, c image.Config) (perPixel int64, err error) // that decoding takes
	orientation func(body []byte) int                                         // as EXIF numbers them; 1 is upright
}

// formatOf tells what a picture is by how it begins.
func formatOf(body []byte) (format, bool) {
	upright := func([]byte) int { return 1 }
	switch {
	case bytes.HasPrefix(body, []byte("\x89PNG\r\n\x1a\n")):
		return format{
			media:       "image/png",
			config:      func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) },
			decode:      func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) },
			memory:      func(_ []byte, c image.Config) (int64, error) { return pngMemory(c), nil },
			orientation: upright,
		}, true
	case bytes.HasPrefix(body, []byte("\xff\xd8\xff")):
		return format{
			media:       "image/jpeg",
			config:      func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) },
			decode:      func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) },
			memory:      jpegMemory,
			orientation: orientation,
		}, true
	case len(body) >= 12 && string(body[:4]) == "RIFF" && string(body[8:12]) == "WEBP":
		return format{
			media:       "image/webp",
			config:      func(b []byte) (image.Config, error) { return webp.DecodeConfig(bytes.NewReader(b)) },
			decode:      func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) },
			memory:      func([]byte, image.Config) (int64, error) { return 12, nil }, // lossless: the picture and its transforms
			orientation: upright,
		}, true
	}
	return format{}, false
}

// pngMemory counts a pixel twice: an interlaced picture is made of others.
func pngMemory(c image.Config) int64 {
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		return 16
	case color.GrayModel:
		return 2
	case color.Gray16Model:
		return 4
	}
	return 8
}

// need looks at the picture's header alone and returns how much memory it
// takes to decode and to resize it.
func (f format) need(body []byte) (int64, error) {
	c, err := f.config(body)
	if err != nil {
		return 0, ErrUnreadable.Because(err)
	}
	if c.Width < 1 || c.Height < 1 {
		return 0, ErrUnreadable
	}
	pixels := int64(c.Width) * int64(c.Height)
	if c.Width > MaxSide || c.Height > MaxSide || pixels > MaxPixels {
		return 0, ErrTooLarge
	}
	perPixel, err := f.memory(body, c)
	if err != nil {
		return 0, err
	}
	const row = Side * 4 * 8 // of what draw keeps between its two passes
	return pixels*perPixel + int64(min(c.Width, c.Height))*row + 4<<20, nil
}

// square cuts the middle out of a picture and makes it as small, or as large,
// as avatars are.
func square(picture image.Image) *image.RGBA {
	b := picture.Bounds()
	side := min(b.Dx(), b.Dy())
	from := image.Rect(0, 0, side, side).Add(b.Min).Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	small := image.NewRGBA(image.Rect(0, 0, Side, Side))
	draw.CatmullRom.Scale(small, small.Bounds(), picture, from, draw.Src, nil)
	return small
}

// encode writes a picture without anything beside its pixels.
func encode(small *image.RGBA) (Image, error) {
	var out bytes.Buffer
	if small.Opaque() {
		err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality})
		return newImage("image/jpeg", out.Bytes()), err
	}
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, small)
	return newImage("image/png", out.Bytes()), err
}
