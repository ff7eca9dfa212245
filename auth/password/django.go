package password

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	stdhash "hash"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The forms are those of django/contrib/auth/hashers.py, the older ones as of
// Django 4.2. Each function reads what follows "algorithm$".
// https://github.com/django/django/blob/4.2/django/contrib/auth/hashers.py

// parsePBKDF2 reads iterations$salt$key.
func parsePBKDF2(algorithm, rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 || len(fields[1]) > maxSalt {
		return hash{}, malformed("%s: not iterations, salt, key", algorithm)
	}
	iterations, err := number(algorithm+": iterations", fields[0], 1, maxPBKDF2Iterations)
	if err != nil {
		return hash{}, err
	}
	digest, size := sha256.New, sha256.Size
	if algorithm == "pbkdf2_sha1" {
		digest, size = sha1.New, sha1.Size
	}
	key, err := unbase64(algorithm+": key", base64.StdEncoding, fields[2], size, size)
	if err != nil {
		return hash{}, err
	}
	return hash{quick: iterations < quickPBKDF2, matches: func(password string) bool {
		got, err := pbkdf2.Key(digest, password, []byte(fields[1]), iterations, size)
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}}, nil
}

// parseBcrypt reads $2b$cost$ and 53 characters of salt and key; $2a$ and
// $2y$ compute the same.
func parseBcrypt(algorithm, rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 4 || fields[0] != "" || len(fields[2]) != 2 || len(fields[3]) != 53 {
		return hash{}, malformed("%s: not version, cost, salt and key", algorithm)
	}
	if v := fields[1]; v != "2a" && v != "2b" && v != "2y" {
		return hash{}, malformed("%s: version is not 2a, 2b or 2y", algorithm)
	}
	cost, err := number(algorithm+": cost", fields[2], minBcryptCost, maxBcryptCost)
	if err != nil {
		return hash{}, err
	}
	if strings.Trim(fields[3], "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return hash{}, malformed("%s: salt and key are not base64", algorithm)
	}
	return hash{quick: cost < quickBcrypt, matches: func(password string) bool {
		key := []byte(password)
		if algorithm == "bcrypt_sha256" {
			sum := sha256.Sum256(key)
			key = []byte(hex.EncodeToString(sum[:]))
		}
		// What bcrypt never saw: it takes 72 bytes.
		key = key[:min(len(key), 72)]
		return bcrypt.CompareHashAndPassword([]byte(rest), key) == nil
	}}, nil
}

// parseScrypt reads N$salt$r$p$key.
func parseScrypt(rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 5 || len(fields[1]) > maxSalt {
		return hash{}, malformed("scrypt: not N, salt, r, p, key")
	}
	n, err := number("scrypt: N", fields[0], 2, maxScryptBlocks)
	if err != nil {
		return hash{}, err
	}
	r, err := number("scrypt: r", fields[2], 1, 64)
	if err != nil {
		return hash{}, err
	}
	p, err := number("scrypt: p", fields[3], 1, 64)
	if err != nil {
		return hash{}, err
	}
	if n&(n-1) != 0 {
		return hash{}, malformed("scrypt: N is not a power of two")
	}
	if n*r > maxScryptBlocks || n*r*p > maxScryptWork {
		return hash{}, malformed("scrypt: N × r × p is too much")
	}
	key, err := unbase64("scrypt: key", base64.StdEncoding, fields[4], 64, 64)
	if err != nil {
		return hash{}, err
	}
	return hash{quick: n*r*p < quickScrypt, matches: func(password string) bool {
		got, err := scrypt.Key([]byte(password), []byte(fields[1]), n, r, p, len(key))
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}}, nil
}

// parseDigest reads salt$hex, the digest of salt and password. The salt is
// empty in Django's unsalted hashers.
func parseDigest(algorithm, rest string) (hash, error) {
	salt, text, ok := strings.Cut(rest, "$")
	if !ok || len(salt) > maxSalt {
		return hash{}, malformed("%s: not salt, key", algorithm)
	}
	digest := map[string]func() stdhash.Hash{"md5": md5.New, "sha1": sha1.New}[algorithm]
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != digest().Size() {
		return hash{}, malformed("%s: key is not %d bytes in hex", algorithm, digest().Size())
	}
	return hash{quick: true, matches: func(password string) bool {
		d := digest()
		d.Write([]byte(salt + password))
		return subtle.ConstantTimeCompare(d.Sum(nil), key) == 1
	}}, nil
}
