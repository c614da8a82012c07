package pdf

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

func TestLettersThatTheFontsLackAreWrittenByNumber(t *testing.T) {
	for name, font := range map[string][]byte{"regular": goregular.TTF, "bold": gobold.TTF, "mono": gomono.TTF} {
		glyphs, err := sfnt.Parse(font)
		if err != nil {
			t.Fatal(err)
		}
		p := &Page{glyphs: glyphs, known: map[rune]bool{}}
		if got := p.text("Žofia Ångström, наряд, Αθήνα: 警\r\n\u202e"); got != "Žofia Ångström, наряд, Αθήνα: [U+8B66][U+000D][U+000A][U+202E]" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The library changes fonts as it writes; documents that are made at once, or one
// after the other, do not feel each other.
func TestTheSameContentGivesTheSameBytes(t *testing.T) {
	make := func() []byte {
		b, err := Write("Title", "foot", time.Date(2026, 11, 27, 14, 0, 0, 0, time.UTC), func(p *Page) {
			p.Heading("Žofia Ångström", 20)
			p.Exact("Key", "àéîõü – “quoted” 0123456789")
			p.Entry("7", "2026-11-27", "what", "more of it")
		})
		if err != nil {
			t.Error(err)
		}
		return b
	}
	before := bytes.Join([][]byte{goregular.TTF, gobold.TTF, gomono.TTF}, nil)
	first := make()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if !bytes.Equal(make(), first) {
				t.Error("other bytes")
			}
		})
	}
	wait.Wait()
	if !bytes.Equal(before, bytes.Join([][]byte{goregular.TTF, gobold.TTF, gomono.TTF}, nil)) {
		t.Error("the program's fonts were changed")
	}
}
