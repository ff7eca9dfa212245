package avatar

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// Initials draws the letters that a name begins with, on a colour that is the
// user's own. It is the one SVG that is ever served: what is in it is ours, but
// for up to two letters.
func Initials(user uuid.UUID, name string) Image {
	hue := (int(user[14])<<8 | int(user[15])) % 360
	var letters bytes.Buffer
	_ = xml.EscapeText(&letters, []byte(initials(name))) // a Buffer takes everything
	return newImage("image/svg+xml", fmt.Appendf(nil,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512" width="512" height="512">`+
			`<rect width="512" height="512" fill="hsl(%d,45%%,38%%)"/>`+
			`<text x="256" y="256" dy=".35em" text-anchor="middle" font-family="system-ui,sans-serif" font-size="208" fill="#fff">%s</text></svg>`,
		hue, letters.Bytes()))
}

// initials are the first letters of a name's first and last words.
func initials(name string) string {
	var first []rune
	for word := range strings.FieldsSeq(name) {
		for _, r := range word {
			if unicode.IsLetter(r) || unicode.IsNumber(r) {
				first = append(first, unicode.ToUpper(r))
				break
			}
		}
	}
	switch len(first) {
	case 0:
		return "?"
	case 1:
		return string(first)
	}
	return string([]rune{first[0], first[len(first)-1]})
}
