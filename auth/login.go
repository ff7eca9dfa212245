package auth

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// EmailKey is what emails are compared by: their letters whatever the case,
// composed. An address is kept and shown as it was given.
func EmailKey(email string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.TrimSpace(email))))
}

// Username is a username as it is kept and compared: case-sensitive, in the
// compatibility form NFKC that Django's forms bring it to.
func Username(name string) string { return norm.NFKC.String(name) }
