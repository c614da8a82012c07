package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a statement's JSON.
const maxDepth = 16

// Statement is a signed statement's payload.
type Statement interface {
	// Check reports the first value that is missing or out of bounds.
	Check() error
}

// Decode reads a payload into s and checks it. Unknown fields, repeated keys,
// trailing bytes, broken UTF-8 and values out of bounds are errors.
func Decode(payload []byte, s Statement) error {
	if err := decodeStrict(payload, s); err != nil {
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

func decodeStrict(b []byte, v any) error {
	if !utf8.Valid(b) {
		return errors.New("JSON is not UTF-8")
	}
	if err := checkKeys(json.NewDecoder(bytes.NewReader(b)), 0); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("bytes after the end of the JSON value")
	}
	return nil
}

// checkKeys walks one JSON value and refuses repeated keys and deep nesting,
// both of which encoding/json lets through.
func checkKeys(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return err
			}
			key, _ := k.(string)
			if strings.ContainsFunc(key, func(r rune) bool { return r > 0x7e }) {
				return fmt.Errorf("JSON key %q is not ASCII", clip(key))
			}
			key = strings.ToLower(key) // encoding/json matches names whatever their case
			if seen[key] {
				return fmt.Errorf("JSON key %q is repeated", clip(key))
			}
			seen[key] = true
			if err := checkKeys(d, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		for d.More() {
			if err := checkKeys(d, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
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
