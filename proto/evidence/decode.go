package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a statement's JSON may hold at most.
const (
	maxDepth = 16  // nesting
	maxKeys  = 256 // keys of one object; the largest statement has 20
)

// Statement is a signed statement's payload.
type Statement interface {
	// Check reports the first value that is missing or out of bounds.
	Check() error
}

// Decode reads a payload into s and checks it. Unknown fields, repeated keys,
// trailing bytes, broken UTF-8 and values out of bounds are errors.
func Decode(payload []byte, s Statement) error {
	if err := DecodeStrict(payload, s); err != nil {
		return err
	}
	return s.Check()
}

// Encode checks s and returns the JSON that is to be signed.
func Encode(s Statement) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// DecodeStrict reads one JSON value into v and refuses what encoding/json lets
// through: unknown, repeated and non-ASCII keys, whatever their case, text that
// is not UTF-8, deep nesting, and anything behind the value.
func DecodeStrict(b []byte, v any) error {
	if !utf8.Valid(b) {
		return errors.New("JSON is not UTF-8")
	}
	var whole json.RawMessage // one valid value and no more
	if err := json.Unmarshal(b, &whole); err != nil {
		return err
	}
	if err := checkKeys(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// checkKeys walks one valid JSON value and refuses what encoding/json lets
// through: repeated keys, whatever their case, and deep nesting. Keys of
// statements are plain ASCII, so others and escaped ones are refused too.
func checkKeys(b []byte) error {
	type level struct {
		object bool
		key    bool     // the next string is a key
		seen   []string // lower case
	}
	var levels []level
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '{', '[':
			if len(levels) == maxDepth {
				return fmt.Errorf("JSON nested deeper than %d", maxDepth)
			}
			levels = append(levels, level{object: c == '{', key: c == '{'})
		case '}', ']':
			levels = levels[:len(levels)-1]
		case ',':
			top := &levels[len(levels)-1]
			top.key = top.object
		case '"':
			end := i + 1
			for ; b[end] != '"'; end++ {
				if b[end] == '\\' {
					end++
				}
			}
			if len(levels) > 0 && levels[len(levels)-1].key {
				top := &levels[len(levels)-1]
				top.key = false
				key, err := plainKey(b[i+1 : end])
				if err != nil {
					return err
				}
				if slices.Contains(top.seen, key) {
					return fmt.Errorf("JSON key %q is repeated", clip(key))
				}
				if len(top.seen) == maxKeys {
					return fmt.Errorf("JSON object with more than %d keys", maxKeys)
				}
				top.seen = append(top.seen, key)
			}
			i = end
		}
	}
	return nil
}

// plainKey returns a key in lower case: encoding/json matches names whatever
// their case.
func plainKey(raw []byte) (string, error) {
	for _, c := range raw {
		if c < 0x20 || c > 0x7e || c == '\\' {
			return "", fmt.Errorf("JSON key %q is not plain ASCII", clip(string(raw)))
		}
	}
	return strings.ToLower(string(raw)), nil
}

// checkText refuses text that is too long or holds control characters.
func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%s: %d bytes, at most %d are taken", what, len(s), limit)
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return fmt.Errorf("%s %q: holds a control or broken character", what, clip(s))
		}
	}
	return nil
}
