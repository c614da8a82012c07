package camera

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// MaxText is how many UTF-16 units a PTP string holds, its closing NUL not counted
// (PIMA 15740 section 5.3.5). A string that comes without that NUL may hold one more.
const MaxText = 254

// Text is a PTP string as it came: UTF-16 units, without the closing NUL. It may
// hold NULs, control characters and broken surrogates; it is data, not something
// to show, to log or to use as a path.
type Text []uint16

// NewText encodes s. Bytes that are not UTF-8 become U+FFFD.
func NewText(s string) Text { return utf16.Encode([]rune(s)) }

// String decodes t; broken surrogates become U+FFFD. Valid tells whether there were any.
func (t Text) String() string { return string(utf16.Decode(t)) }

// Valid says whether t is well-formed UTF-16.
func (t Text) Valid() bool {
	for i := 0; i < len(t); i++ {
		if !utf16.IsSurrogate(rune(t[i])) {
			continue
		}
		if t[i] >= 0xDC00 || i+1 == len(t) || t[i+1] < 0xDC00 || t[i+1] > 0xDFFF {
			return false
		}
		i++
	}
	return true
}

// Bytes returns the units as UTF-16LE bytes, the raw form that is kept as evidence.
func (t Text) Bytes() []byte {
	if len(t) == 0 {
		return nil
	}
	p := make([]byte, 0, 2*len(t))
	for _, u := range t {
		p = binary.LittleEndian.AppendUint16(p, u)
	}
	return p
}

// Append appends t to dst as a PTP string. More than MaxText units are refused.
func (t Text) Append(dst []byte) ([]byte, error) {
	if len(t) > MaxText {
		return dst, fmt.Errorf("writing a PTP string: %d UTF-16 units, at most %d", len(t), MaxText)
	}
	if len(t) == 0 {
		return append(dst, 0), nil
	}
	dst = append(dst, byte(len(t)+1))
	for _, u := range t {
		dst = binary.LittleEndian.AppendUint16(dst, u)
	}
	return append(dst, 0, 0), nil
}

// ParseText decodes the PTP string at the start of p.
func ParseText(p []byte) (Text, error) {
	c := cursor{rest: p, what: "a PTP string"}
	t := c.text("text")
	return t, c.fault
}

// appendTexts appends strings one after the other and names the first that is too long.
func appendTexts(dst []byte, what string, texts ...Text) ([]byte, error) {
	for i, t := range texts {
		var err error
		if dst, err = t.Append(dst); err != nil {
			return dst, fmt.Errorf("writing %s, string %d: %w", what, i+1, err)
		}
	}
	return dst, nil
}
