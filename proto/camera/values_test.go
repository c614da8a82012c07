package camera

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDateTime(t *testing.T) {
	cet := time.FixedZone("", 3600)
	for text, want := range map[string]struct {
		at    time.Time
		zoned bool
	}{
		"20260301T101112":            {time.Date(2026, 3, 1, 10, 11, 12, 0, time.UTC), false},
		"20260301T101112.5":          {time.Date(2026, 3, 1, 10, 11, 12, 5e8, time.UTC), false},
		"20260301T101112Z":           {time.Date(2026, 3, 1, 10, 11, 12, 0, time.UTC), true},
		"20260301T101112.123456789Z": {time.Date(2026, 3, 1, 10, 11, 12, 123456789, time.UTC), true},
		"20260301T101112+0100":       {time.Date(2026, 3, 1, 10, 11, 12, 0, cet), true},
		"20260301T101112.0-0730":     {time.Date(2026, 3, 1, 17, 41, 12, 0, time.UTC), true},
		"00010101T000000":            {time.Time{}, false},
		"20240229T235959+1459":       {time.Date(2024, 2, 29, 9, 0, 59, 0, time.UTC), true},
	} {
		d, err := ParseDateTime(text)
		if err != nil || !d.Time.Equal(want.at) || d.Zoned != want.zoned || d.Raw != text {
			t.Errorf("%s: %+v, %v, want %v zoned %v", text, d, err, want.at, want.zoned)
		}
	}
	for _, text := range []string{
		"", "20260301", "20260301T1011", "20260301T101112.", "20260301T101112.Z", "20260230T101112", "20261301T101112",
		"20260301T251112", "20260301T106012", "20260301 101112", "2026-03-01T10:11:12", "20260301T101112z", "20260301T101112+01",
		"20260301T101112+01:00", "20260301T101112+1600", "20260301T101112+0160", "20260301T101112.1234567890", "+2260301T101112",
		"20260301T10111２", strings.Repeat("2", 1000),
	} {
		d, err := ParseDateTime(text)
		if !errors.Is(err, ErrMalformed) || d.Raw != text || !d.Time.IsZero() {
			t.Errorf("%q: %+v, %v, want ErrMalformed with the raw text kept", text, d, err)
		}
	}
}

func TestFormatDateTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 11, 12, 999, time.FixedZone("", -7*3600-1800))
	for want, got := range map[string]string{
		"20260301T101112":      FormatDateTime(at, false),
		"20260301T101112-0730": FormatDateTime(at, true),
		"20260301T174112Z":     FormatDateTime(at.UTC(), true),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzParseDateTime(f *testing.F) {
	for _, s := range []string{"20260301T101112", "20260301T101112.5Z", "20260301T101112.123-0730", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDateTime(s)
		if err != nil {
			return
		}
		again, err := ParseDateTime(FormatDateTime(d.Time, d.Zoned))
		if d.Time.Year() < 0 || d.Time.Year() > 9999 { // the zone moved the year out of four digits
			return
		}
		if err != nil || !again.Time.Equal(d.Time.Truncate(time.Second)) {
			t.Fatalf("%q is %v, formatted and parsed again %v, %v", s, d.Time, again.Time, err)
		}
	})
}

func TestTextKeepsWhatCame(t *testing.T) {
	for name, c := range map[string]struct {
		units Text
		valid bool
		text  string
	}{
		"plain":             {Text{'a', 'b'}, true, "ab"},
		"pair":              {Text{0xD83D, 0xDE00}, true, "😀"},
		"lone high":         {Text{0xD83D, 'a'}, false, "\uFFFDa"},
		"lone low":          {Text{0xDE00}, false, "\uFFFD"},
		"high at the end":   {Text{'a', 0xD83D}, false, "a\uFFFD"},
		"reversed pair":     {Text{0xDE00, 0xD83D}, false, "\uFFFD\uFFFD"},
		"nul in the middle": {Text{'a', 0, 'b'}, true, "a\x00b"},
	} {
		p, err := c.units.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseText(p)
		if err != nil || !bytes.Equal(got.Bytes(), c.units.Bytes()) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.units)
		}
		if got.Valid() != c.valid || got.String() != c.text {
			t.Errorf("%s: valid %v %q, want %v %q", name, got.Valid(), got.String(), c.valid, c.text)
		}
	}
	if _, err := NewText(strings.Repeat("x", MaxText+1)).Append(nil); err == nil {
		t.Error("a text that does not fit its count byte was encoded")
	}
}

func FuzzParseText(f *testing.F) {
	f.Add([]byte{3, 'a', 0, 'b', 0, 0, 0})
	f.Add([]byte{255, 0, 0xD8})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, p []byte) {
		text, err := ParseText(p)
		if err != nil {
			return
		}
		if len(text) > MaxText+1 || len(text.Bytes()) != 2*len(text) {
			t.Fatalf("%d units", len(text))
		}
		_ = text.String()
		_ = text.Valid()
	})
}

func FuzzParseValue(f *testing.F) {
	f.Add(uint16(TypeUint64), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint16(TypeText), []byte{2, 'a', 0, 0, 0})
	f.Add(uint16(TypeArray|TypeUint16), []byte{1, 0, 0, 0, 9, 9})
	f.Fuzz(func(t *testing.T, kind uint16, p []byte) {
		v, err := ParseValue(DataType(kind), p)
		if err != nil {
			return
		}
		again, err := v.Append(nil)
		if err != nil {
			if v.Type == TypeText && len(v.Text) > MaxText {
				return
			}
			t.Fatal(err)
		}
		if v.Type != TypeText && !bytes.HasPrefix(p, again) {
			t.Fatalf("%x became %x", p, again)
		}
	})
}

func TestDataHeaderOfFourGibibytesHasUnknownLength(t *testing.T) {
	for payload, length := range map[uint64]uint32{
		0:              12,
		500:            512,
		1<<32 - 1 - 13: 1<<32 - 2,
		1<<32 - 1 - 12: LengthUnknown,
		5 << 30:        LengthUnknown,
	} {
		h := DataHeader(OpGetObject, 1, payload)
		if h.Length != length {
			t.Errorf("%d bytes: length %d, want %d", payload, h.Length, length)
		}
		if size, known := h.PayloadSize(); known && size != payload {
			t.Errorf("%d bytes: payload %d", payload, size)
		}
	}
}
