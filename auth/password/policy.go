package password

import (
	"errors"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"
	"github.com/ccojocar/zxcvbn-go/scoring"
	"golang.org/x/text/unicode/norm"
)

// The length of a new password, in characters (code points).
const (
	MinLength = 10
	MaxLength = 128
)

// Why a new password is refused, in words fit to be seen.
var (
	ErrTooShort = errors.New("has fewer than 10 characters")
	ErrTooLong  = errors.New("has more than 128 characters")
	ErrNotText  = errors.New("is not valid UTF-8")
	ErrCommon   = errors.New("is too common or too easily guessed")
)

const (
	// minScore stands for more than 10^6 guesses: what zxcvbn's authors call
	// safe against throttled guessing online, and score 2; this port says 1.
	minScore = 1
	// judged is how many characters are scored: what follows cannot make
	// them easier to guess, and the cost grows with the square. At 64 the
	// worst known costs what a hash costs.
	judged = 64
	// aboutWords and aboutBytes bound what is read of the user's own words.
	aboutWords, aboutBytes = 64, 1024
)

// Acceptable says whether a new password may be used: nil if it is of 10 to
// 128 characters, neither common nor breached nor otherwise easily guessed.
// About are words that its owner is known by, such as email, username and
// name: they are no secret, in any letter case, with digits for letters or not.
//
// This is NIST SP 800-63B, section 5.1.1.2: a length and a list of the
// compromised and expected, and no rules of composition. The list is zxcvbn's.
func Acceptable(password string, about ...string) error {
	if len(password) > MaxLength*utf8.UTFMax {
		return ErrTooLong
	}
	if !utf8.ValidString(password) {
		return ErrNotText
	}
	switch n := utf8.RuneCountInString(password); {
	case n < MinLength:
		return ErrTooShort
	case n > MaxLength:
		return ErrTooLong
	}
	if score(password, about) < minScore {
		return ErrCommon
	}
	return nil
}

// score is zxcvbn's, 0 to 4. Of its matchers the one for l33t is left out:
// it tries every combination of substitutions, hundreds of them. Two suffice.
func score(password string, about []string) int {
	plain := fold(password)
	plain = plain[:period(plain)]
	plain = plain[:min(len(plain), judged)]
	words := wordsOf(about)

	matches := matching.Omnimatch(plain, nil, matching.FilterL33tMatcher)
	matches = append(matches, own(plain, words)...)
	for _, l33t := range []*strings.Replacer{l33tI, l33tL} {
		if word := l33t.Replace(plain); word != plain {
			matches = append(matches, matching.Omnimatch(word, nil, exceptDictionaries)...)
			matches = append(matches, own(word, words)...)
		}
	}
	return scoring.MinimumEntropyMatchSequence(plain, matches).Score
}

var (
	l33tI = strings.NewReplacer("4", "a", "@", "a", "8", "b", "(", "c", "3", "e", "6", "g", "9", "g",
		"1", "i", "!", "i", "|", "i", "0", "o", "$", "s", "5", "s", "7", "t", "+", "t", "2", "z")
	l33tL = strings.NewReplacer("4", "a", "@", "a", "8", "b", "(", "c", "3", "e", "6", "g", "9", "g",
		"1", "l", "!", "l", "|", "l", "0", "o", "$", "s", "5", "s", "7", "l", "+", "t", "2", "z")
)

func exceptDictionaries(m match.Matcher) bool {
	return matching.FilterL33tMatcher(m) || matching.FilterSpatialMatcher(m) ||
		matching.FilterRepeatMatcher(m) || matching.FilterSequenceMatcher(m) ||
		matching.FilterDateSepMatcher(m) || matching.FilterDateWithoutSepMatcher(m)
}

// own finds the user's own words, which zxcvbn looks for in a way that
// builds a dictionary each time.
func own(plain string, words []string) (found []match.Match) {
	for _, word := range words {
		for at := 0; ; at++ {
			i := strings.Index(plain[at:], word)
			if i < 0 {
				break
			}
			at += i
			found = append(found, match.Match{
				Pattern: "dictionary", DictionaryName: "own", Token: word,
				I: at, J: at + len(word) - 1, Entropy: math.Log2(float64(len(words))),
			})
		}
	}
	return found
}

// wordsOf splits at what is no letter and no digit, and adds the name of this
// service, as NIST advises.
func wordsOf(about []string) []string {
	words := []string{"trellis"}
	for _, text := range about {
		text = fold(text[:min(len(text), aboutBytes)])
		for _, word := range append(strings.FieldsFunc(text, notInWord), text) {
			if len(word) >= 3 && len(words) < aboutWords {
				words = append(words, word)
			}
		}
	}
	return words
}

func notInWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// fold drops case, accents and width, and writes every character outside
// ASCII as one inside: zxcvbn counts bytes in one place and runes in another.
func fold(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		r = unicode.ToLower(r)
		if r >= utf8.RuneSelf {
			r = 'a' + r%26
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// period is the length of what text repeats, or of text: 2 for "ababa".
func period(text string) int {
	for p := 1; p <= len(text)/2; p++ {
		if strings.HasPrefix(text, text[p:]) {
			return p
		}
	}
	return len(text)
}
