package evidence

import (
	"bytes"
	"testing"
	"time"
)

func carriage() *Carriage {
	return &Carriage{
		Version: 1, Agency: "riverton", Station: "north", Dock: "north-1", MadeAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Agent: "1", Recordings: 1, Statements: 1,
		Pages: []CarriagePart{{SHA256: SHA256([]byte("page")), Bytes: 100}},
	}
}

func carriagePage() *CarriagePage {
	return &CarriagePage{
		Version:    1,
		Recordings: []CarriedRecording{{Evidence: EvidenceID{1}, Attempt: 1, Length: 5, Offer: SHA256(nil), Files: []Digest{SHA256(nil)}}},
		Statements: []CarriedStatement{{Kind: "inventory", SHA256: SHA256(nil)}},
	}
}

func TestACarriageOutOfBoundsIsRefused(t *testing.T) {
	if err := carriage().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Carriage){
		"version": func(c *Carriage) { c.Version = 2 }, "agency": func(c *Carriage) { c.Agency = "../x" }, "dock": func(c *Carriage) { c.Dock = "" },
		"station": func(c *Carriage) { c.Station = "A" }, "agent": func(c *Carriage) { c.Agent = "a\nb" }, "time": func(c *Carriage) { c.MadeAt = time.Time{} },
		"more than pages hold": func(c *Carriage) { c.Recordings = MaxCarriedOnPage + 1 }, "empty page": func(c *Carriage) { c.Pages[0].Bytes = 0 },
		"long page": func(c *Carriage) { c.Pages[0].Bytes = MaxCarriagePage + 1 }, "nameless page": func(c *Carriage) { c.Pages[0].SHA256 = Digest{} },
		"many pages": func(c *Carriage) { c.Pages = make([]CarriagePart, MaxCarriagePages+1) },
	} {
		c := carriage()
		if spoil(c); c.Check() == nil {
			t.Errorf("%s is let through", name)
		}
	}
	if err := carriagePage().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*CarriagePage){
		"version": func(p *CarriagePage) { p.Version = 0 }, "id": func(p *CarriagePage) { p.Recordings[0].Evidence = EvidenceID{} }, "attempt": func(p *CarriagePage) { p.Recordings[0].Attempt = 0 },
		"length": func(p *CarriagePage) { p.Recordings[0].Length = MaxLength + 1 }, "offer": func(p *CarriagePage) { p.Recordings[0].Offer = Digest{} }, "no file": func(p *CarriagePage) { p.Recordings[0].Files = nil },
		"files": func(p *CarriagePage) { p.Recordings[0].Files = make([]Digest, MaxCarriedFiles+1) }, "kind": func(p *CarriagePage) { p.Statements[0].Kind = "receipt" },
		"statement": func(p *CarriagePage) { p.Statements[0].SHA256 = Digest{} }, "recordings": func(p *CarriagePage) { p.Recordings = make([]CarriedRecording, MaxCarriedOnPage+1) },
	} {
		p := carriagePage()
		if spoil(p); p.Check() == nil {
			t.Errorf("page: %s is let through", name)
		}
	}
}

// Whatever is read as an index is within its bounds and comes back as it was.
func FuzzCarriage(f *testing.F) {
	for _, s := range []Statement{carriage(), carriagePage()} {
		raw, err := Encode(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, fresh := range []func() Statement{func() Statement { return new(Carriage) }, func() Statement { return new(CarriagePage) }} {
			s := fresh()
			if Decode(raw, s) != nil {
				continue
			}
			again, err := Encode(s)
			if err != nil {
				t.Fatalf("read and not written: %v", err)
			}
			back := fresh()
			if err := Decode(again, back); err != nil {
				t.Fatalf("written and not read: %v", err)
			}
			if third, err := Encode(back); err != nil || !bytes.Equal(again, third) {
				t.Fatalf("%s became %s, %v", again, third, err)
			}
		}
	})
}
