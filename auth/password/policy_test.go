package password_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/auth/password"
)

func TestAcceptable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		password string
		about    []string
		want     error
	}{
		{"", nil, password.ErrTooShort},
		{"xK9#mQ2$v", nil, password.ErrTooShort},
		{"xK9#mQ2$vL", nil, nil},
		{"ключиёжик", nil, password.ErrTooShort},
		{"щётка-ёжик", nil, nil},
		{strings.Repeat("x", 129), nil, password.ErrTooLong},
		{strings.Repeat("x", 1<<20), nil, password.ErrTooLong},
		{strings.Repeat("é", 129), nil, password.ErrTooLong},
		{"correct horse " + strings.Repeat("🔑", 114), nil, nil},
		{"invalid \xff utf-8", nil, password.ErrNotText},

		{"password123", nil, password.ErrCommon},
		{"Password123!", nil, password.ErrCommon},
		{"PASSWORD123!", nil, password.ErrCommon},
		{"P@ssw0rd123!", nil, password.ErrCommon},
		{"pässwörd123", nil, password.ErrCommon},
		{"ｐａｓｓｗｏｒｄ１２３", nil, password.ErrCommon},
		{"1234567890", nil, password.ErrCommon},
		{"qwertyuiop", nil, password.ErrCommon},
		{"1q2w3e4r5t", nil, password.ErrCommon},
		{"iloveyou12", nil, password.ErrCommon},
		{"aaaaaaaaaa", nil, password.ErrCommon},
		{strings.Repeat("ё", 128), nil, password.ErrCommon},
		{"letmein12345", nil, password.ErrCommon},
		{"Welcome2024!", nil, password.ErrCommon},
		{"michael1985!", nil, password.ErrCommon},
		{"xkqzxkqzxkqz", nil, password.ErrCommon},
		{"Trellis2026!", nil, password.ErrCommon},

		{"alice@example.com", []string{"alice@example.com"}, password.ErrCommon},
		{"ALICE@example.com1", []string{"alice@example.com"}, password.ErrCommon},
		{"Alice-Example-1", []string{"alice@example.com"}, password.ErrCommon},
		{"4l1c3-sm1th!!", []string{"Alice Smith"}, password.ErrCommon},
		{"SmithAlice2024!", []string{"a@example.com", "Alice Smith"}, password.ErrCommon},
		{"МарияИванова1", []string{"мария.иванова"}, password.ErrCommon},

		{"correct horse battery staple", []string{"alice@example.com", "alice"}, nil},
		{"vaulted-Lemon-42", []string{"lemon@example.com"}, nil},
		{"another-Alice-7", nil, nil},
		{"another-Alice-7", []string{"alice@example.com", "Alice"}, nil},
		{"argon-Ana-2021", nil, nil},
		{"Adm1n!pass-phrase", nil, nil},
		{"пароль-Мария-Ёж-9", []string{"мария.иванова", "мария@пример.рф"}, nil},
		{"naïve café 🔑 pass", []string{"zoë@example.com"}, nil},
		{"lemon tree 42", nil, nil},
		{"kjhxqpwmzv", nil, nil},
	} {
		if err := password.Acceptable(c.password, c.about...); !errors.Is(err, c.want) {
			t.Errorf("Acceptable(%.40q, %q) = %v, want %v", c.password, c.about, err, c.want)
		}
	}
}

func FuzzAcceptable(f *testing.F) {
	f.Add("password123", "alice@example.com", "Alice")
	f.Add("4@8({[<369!|7$5+%2", "", "\xff")
	f.Add("1.1.1999 12-12-2012 ﷺﷺﷺ\x00\n", "ﷺ", "..")
	f.Fuzz(func(t *testing.T, p, email, name string) {
		_ = password.Acceptable(p, email, name)
		if err := password.Acceptable(strings.Repeat(p, 3)+email, email, name); errors.Is(err, password.ErrTooShort) && len(p) >= 40 {
			t.Error(err)
		}
	})
}
