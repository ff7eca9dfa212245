package avatar_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/profile/avatar"
)

const room = 512 << 20

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// corners is a picture whose four quarters are red, green, blue and white.
func corners(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			p.SetNRGBA(x, y, quarters[(2*y/h)*2+2*x/w])
		}
	}
	return p
}

var quarters = []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}

// seen names the colours of the quarters, from left to right and down.
func seen(t testing.TB, p image.Image) (names string) {
	t.Helper()
	side := p.Bounds().Dx()
	for _, at := range []image.Point{{1, 1}, {3, 1}, {1, 3}, {3, 3}} {
		r, g, b, _ := p.At(at.X*side/4, at.Y*side/4).RGBA()
		names += map[[3]bool]string{{true, false, false}: "r", {false, true, false}: "g", {false, false, true}: "b", {true, true, true}: "w"}[[3]bool{r > 0x8000, g > 0x8000, b > 0x8000}]
	}
	return names
}

func asPNG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, p))
	return b.Bytes()
}

func asJPEG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, p, nil))
	return b.Bytes()
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	must(t, err)
	return b
}

// behind puts a segment behind a JPEG's first mark.
func behind(body []byte, mark byte, of string) []byte {
	segment := append(binary.BigEndian.AppendUint16([]byte{0xff, mark}, uint16(len(of)+2)), of...)
	return slices.Concat(body[:2], segment, body[2:])
}

// exif is an APP1 segment that says how the camera was held.
func exif(order binary.AppendByteOrder, held uint16) string {
	b := []byte("Exif\x00\x00MM")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("Exif\x00\x00II")
	}
	b = order.AppendUint16(b, 42)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, tag := range []uint16{0x010f, 274} {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, held)
		b = order.AppendUint16(b, 0)
	}
	return string(append(b, "GPS: 52.2297 N"...))
}

// decode checks that an avatar is what all of them are.
func decode(t testing.TB, img avatar.Image) image.Image {
	t.Helper()
	p, kind, err := image.Decode(bytes.NewReader(img.Data))
	must(t, err)
	if "image/"+kind != img.Type || p.Bounds() != image.Rect(0, 0, avatar.Side, avatar.Side) || len(img.Hash) != 24 {
		t.Errorf("%s, said to be %s, %v, hash %s", kind, img.Type, p.Bounds(), img.Hash)
	}
	return p
}

func TestMake(t *testing.T) {
	t.Parallel()
	m := avatar.NewMaker(room)
	half := corners(64, 64)
	half.SetNRGBA(0, 0, color.NRGBA{255, 0, 0, 10})
	wide := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for y := range 100 {
		for x := range 100 {
			wide.Set(100+x, y, corners(100, 100).At(x, y))
		}
	}
	deep := image.NewNRGBA64(image.Rect(0, 0, 40, 40))
	for y := range 40 {
		for x := range 40 {
			deep.Set(x, y, corners(40, 40).At(x, y))
		}
	}
	polyglot := append(asPNG(t, corners(50, 50)), "<script>alert(1)</script><?php system('id'); ?>PK\x03\x04"...)
	for name, tt := range map[string]struct {
		body         []byte
		said, is     string
		want, secret string
	}{
		"png":             {asPNG(t, corners(64, 64)), "image/png", "image/jpeg", "rgbw", ""},
		"tiny":            {asPNG(t, corners(2, 2)), "image/png", "image/jpeg", "rgbw", ""},
		"translucent":     {asPNG(t, half), "image/png", "image/png", "rgbw", ""},
		"16 bits":         {asPNG(t, deep), "image/png", "image/jpeg", "rgbw", ""},
		"the middle":      {asPNG(t, wide.SubImage(image.Rect(0, 0, 300, 100))), "image/png", "image/jpeg", "rgbw", ""},
		"a strip":         {asPNG(t, corners(avatar.MaxSide, 2)), "image/png", "image/jpeg", "", ""},
		"jpeg":            {asJPEG(t, corners(640, 480)), "image/jpeg", "image/jpeg", "rgbw", ""},
		"a comment":       {behind(asJPEG(t, corners(64, 64)), 0xfe, "hush"), "image/jpeg", "image/jpeg", "rgbw", "hush"},
		"where it was":    {behind(asJPEG(t, corners(64, 64)), 0xe1, exif(binary.BigEndian, 1)), "image/jpeg", "image/jpeg", "rgbw", "GPS"},
		"polyglot":        {polyglot, "image/png", "image/jpeg", "rgbw", "script"},
		"lossy webp":      {file(t, "blue-purple-pink.lossy.webp"), "image/webp", "image/jpeg", "", ""},
		"lossless webp":   {file(t, "gopher-doc.1bpp.lossless.webp"), "image/webp", "image/jpeg", "", ""},
		"webp with alpha": {file(t, "yellow_rose.lossy-with-alpha.webp"), "image/webp", "image/png", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img, err := m.Make(t.Context(), tt.body, tt.said)
			must(t, err)
			p := decode(t, img)
			if got := seen(t, p); img.Type != tt.is || tt.want != "" && got != tt.want {
				t.Errorf("%s, %s; want %s, %s", img.Type, got, tt.is, tt.want)
			}
			if tt.secret != "" && (!bytes.Contains(tt.body, []byte(tt.secret)) || bytes.Contains(img.Data, []byte(tt.secret))) {
				t.Errorf("%q is still there, or never was", tt.secret)
			}
		})
	}
}

func TestOrientation(t *testing.T) {
	t.Parallel()
	m := avatar.NewMaker(room)
	for held, want := range map[uint16]string{0: "rgbw", 1: "rgbw", 2: "grwb", 3: "wbgr", 4: "bwrg", 5: "rbgw", 6: "brwg", 7: "wgbr", 8: "gwrb", 9: "rgbw", 256: "rgbw"} {
		orders := []binary.AppendByteOrder{binary.BigEndian}
		if held == 6 {
			orders = append(orders, binary.LittleEndian)
		}
		for _, order := range orders {
			img, err := m.Make(t.Context(), behind(asJPEG(t, corners(160, 80)), 0xe1, exif(order, held)), "image/jpeg")
			must(t, err)
			if got := seen(t, decode(t, img)); got != want {
				t.Errorf("held as %d: %s, want %s", held, got, want)
			}
		}
	}
}

// header is a PNG that says how large it is, and goes on with zeros that
// compress to nothing.
func header(w, h uint32, rows int) []byte {
	ihdr := binary.BigEndian.AppendUint32(nil, w)
	ihdr = binary.BigEndian.AppendUint32(ihdr, h)
	ihdr = append(ihdr, 8, 6, 0, 0, 0)
	var idat bytes.Buffer
	z := zlib.NewWriter(&idat)
	_, _ = z.Write(make([]byte, rows*(int(w)*4+1)))
	z.Close()
	b := []byte("\x89PNG\r\n\x1a\n")
	for _, c := range []struct {
		name string
		of   []byte
	}{{"IHDR", ihdr}, {"IDAT", idat.Bytes()}, {"IEND", nil}} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.of)))
		at := len(b)
		b = append(append(b, c.name...), c.of...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[at:]))
	}
	return b
}

// scans is a JPEG with the last of its scans over and over.
func scans(body []byte, times int) []byte {
	at := bytes.LastIndex(body, []byte{0xff, 0xda})
	return slices.Concat(body[:at], bytes.Repeat(body[at:len(body)-2], times), body[len(body)-2:])
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := avatar.NewMaker(room)
	var g bytes.Buffer
	must(t, gif.Encode(&g, corners(8, 8), nil))
	good, picture := asPNG(t, corners(64, 64)), asJPEG(t, corners(64, 64))
	for name, tt := range map[string]struct {
		body []byte
		said string
		want *fault.Error
	}{
		"nothing":                  {nil, "image/png", avatar.ErrType},
		"gif":                      {g.Bytes(), "image/gif", avatar.ErrType},
		"gif, said to be png":      {g.Bytes(), "image/png", avatar.ErrType},
		"svg":                      {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "image/svg+xml", avatar.ErrType},
		"svg, said to be png":      {[]byte(`<?xml version="1.0"?><svg/>`), "image/png", avatar.ErrType},
		"html":                     {[]byte(`<!doctype html>`), "image/png", avatar.ErrType},
		"bmp":                      {[]byte("BM\x00\x00\x00\x00"), "image/bmp", avatar.ErrType},
		"avif":                     {[]byte("\x00\x00\x00\x20ftypavif"), "image/avif", avatar.ErrType},
		"RIFF, but WAVE":           {[]byte("RIFF\x00\x00\x00\x00WAVEfmt "), "image/webp", avatar.ErrType},
		"png, said to be jpeg":     {good, "image/jpeg", avatar.ErrType},
		"png, said to be anything": {good, "application/octet-stream", avatar.ErrType},
		"jpeg, said to be png":     {picture, "image/png", avatar.ErrType},
		"only a beginning":         {good[:20], "image/png", avatar.ErrUnreadable},
		"half":                     {good[:len(good)/2], "image/png", avatar.ErrUnreadable},
		"half a jpeg header":       {picture[:10], "image/jpeg", avatar.ErrUnreadable},
		"webp without a picture":   {[]byte("RIFF\x04\x00\x00\x00WEBP"), "image/webp", avatar.ErrUnreadable},
		"too wide":                 {header(avatar.MaxSide+1, 1, 1), "image/png", avatar.ErrTooLarge},
		"too high":                 {header(1, avatar.MaxSide+1, 1), "image/png", avatar.ErrTooLarge},
		"too many pixels":          {header(5000, 5000, 1), "image/png", avatar.ErrTooLarge},
		"a bomb":                   {header(60000, 60000, 100), "image/png", avatar.ErrTooLarge},
		"a bomb of 2^31":           {header(1<<31-1, 1<<31-1, 0), "image/png", nil},
		"no rows":                  {header(4000, 4000, 0), "image/png", avatar.ErrUnreadable},
		"scan upon scan":           {scans(picture, 65), "image/jpeg", avatar.ErrUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			img, err := m.Make(t.Context(), tt.body, tt.said)
			if f := fault.Of(err); err == nil || f.Kind.Failure() || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %s, %v, want %v", img.Type, err, tt.want)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
	f := fault.Of(func() error { _, err := m.Make(t.Context(), good, "image/jpeg"); return err }())
	if !strings.Contains(f.Message, "image/png") {
		t.Errorf("%q does not say what would be right", f.Message)
	}
}

// One that is too large for the memory there is, is refused; one that must
// wait for others waits.
func TestMemory(t *testing.T) {
	t.Parallel()
	body := asPNG(t, corners(500, 500))
	if _, err := avatar.NewMaker(8<<20).Make(t.Context(), body, "image/png"); !errors.Is(err, avatar.ErrTooLarge) {
		t.Errorf("too little memory: %v", err)
	}
	m := avatar.NewMaker(20 << 20) // for one of them
	errs := make(chan error)
	for range 3 {
		go func() { _, err := m.Make(context.Background(), body, "image/png"); errs <- err }()
	}
	for range 3 {
		must(t, <-errs)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Make(gone, body, "image/png"); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestInitials(t *testing.T) {
	t.Parallel()
	user := uuid.MustParse("01a20894-8785-7610-91a2-86ee53277ff9")
	for name, want := range map[string]string{
		"Ann Lee": "AL", "ann": "A", "": "?", "  ": "?", "Ann Maria van der Lee": "AL", "Łukasz Żak": "ŁŻ", "<script> & 'x'": "SX", "👩 🏳": "?",
		"7 of 9": "79", "李小龙": "李", "\"><svg onload=alert(1)>": "SO",
	} {
		img := avatar.Initials(user, name)
		var drawn struct {
			Text []string                     `xml:"text"`
			Any  []struct{ XMLName xml.Name } `xml:",any"`
		}
		if err := xml.Unmarshal(img.Data, &drawn); err != nil || len(drawn.Text) != 1 || drawn.Text[0] != want || len(drawn.Any) != 1 || img.Type != "image/svg+xml" {
			t.Errorf("%q: %+v, %v, want %q", name, drawn, err, want)
		}
	}
	if avatar.Initials(user, "Ann").Hash == avatar.Initials(user, "Bob").Hash || avatar.Initials(user, "Ann").Hash == avatar.Initials(uuid.UUID{}, "Ann").Hash {
		t.Error("two pictures have one hash")
	}
}

func FuzzMake(f *testing.F) {
	f.Add(asPNG(f, corners(4, 4)))
	f.Add(behind(asJPEG(f, corners(16, 16)), 0xe1, exif(binary.LittleEndian, 6)))
	f.Add(file(f, "gopher-doc.1bpp.lossless.webp"))
	f.Add(header(100, 100, 100))
	f.Add(scans(asJPEG(f, corners(8, 8)), 3))
	m := avatar.NewMaker(64 << 20)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, said := range []string{"image/png", "image/jpeg", "image/webp"} {
			img, err := m.Make(t.Context(), body, said)
			if err != nil {
				if fault.Of(err).Kind.Failure() {
					t.Errorf("not the picture is at fault: %v", err)
				}
				continue
			}
			decode(t, img)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	m := avatar.NewMaker(room)
	for name, tt := range map[string]struct {
		body []byte
		said string
	}{
		"JPEG12MP": {asJPEG(b, corners(4000, 3000)), "image/jpeg"},
		"JPEG1MP":  {asJPEG(b, corners(1000, 1000)), "image/jpeg"},
		"PNG1MP":   {asPNG(b, corners(1000, 1000)), "image/png"},
		"WebP":     {file(b, "blue-purple-pink.lossy.webp"), "image/webp"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := m.Make(b.Context(), tt.body, tt.said)
				must(b, err)
			}
		})
	}
}
