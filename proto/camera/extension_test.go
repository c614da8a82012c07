package camera

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// documents are one of each kind, as their owners would write them.
func documents() []any {
	return []any{
		&Status{Version: 1, Serial: "c0ffee", Model: "BC-1", Battery: 83, Locked: true, Challenge: make([]byte, ChallengeSize), Next: 128},
		&Adoption{Authority: make([]byte, 32), Certificate: []byte("{}")},
		&Listing{Parts: [][]byte{[]byte("{}")}},
		&Time{Clock: 1_795_000_000_000_000, Set: 1, SetAhead: -4_620_000_000},
		&Wearer{Officer: "A. Silva", OfficerID: "4711"},
		&FirmwareStatus{State: FirmwareStaging, Received: 1 << 20, Length: 8 << 20},
	}
}

func blank(document any) any { return reflect.New(reflect.TypeOf(document).Elem()).Interface() }

func TestDocumentsComeBackAsTheyWere(t *testing.T) {
	for _, want := range documents() {
		b, err := EncodeDocument(want)
		if err != nil {
			t.Fatal(err)
		}
		got := blank(want)
		if err := DecodeDocument(b, MaxDocument, got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", b, got, err)
		}
	}
}

func TestBrokenDocumentsAreRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		into any
	}{
		{`{"version":0,"battery":1}`, &Status{}}, {`{"version":1,"battery":101}`, &Status{}}, {`{"version":1,"battery":1,"challenge":"AAAA"}`, &Status{}},
		{`{"version":1,"battery":1,"serial":"` + strings.Repeat("x", 2000) + `"}`, &Status{}},
		{`{}`, &Adoption{}}, {`{"parts":[]}`, &Listing{}}, {`{"clock_us":9e18}`, &Time{}}, {`{"clock_us":1,"uncertainty_us":-1}`, &Time{}},
		{`{}{}`, &Wearer{}}, {``, &Wearer{}}, {"\xff", &Wearer{}}, {`{"officer":"` + strings.Repeat("x", MaxDocument) + `"}`, &Wearer{}},
	} {
		if err := DecodeDocument([]byte(c.text), MaxDocument, c.into); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60s: %v", c.text, err)
		}
	}
	if err := DecodeDocument([]byte(`{}`), MaxDocument, &struct{}{}); err == nil {
		t.Error("an unknown kind of document was read")
	}
}

func TestTheExtensionIsBothSaidAndSupported(t *testing.T) {
	all := []Operation{OpGetCameraStatus, OpProveIdentity, OpGetListing, OpEraseRecording, OpGetTime, OpSetTime}
	for name, c := range map[string]struct {
		d    DeviceInfo
		want bool
	}{
		"both":      {DeviceInfo{VendorDesc: NewText("microsoft.com: 1.0; " + ExtensionMark), Operations: all}, true},
		"only said": {DeviceInfo{VendorDesc: NewText(ExtensionMark)}, false},
		"only done": {DeviceInfo{VendorDesc: NewText("microsoft.com: 1.0;"), Operations: all}, false},
	} {
		if c.d.HasExtension() != c.want {
			t.Error(name)
		}
	}
}

func FuzzDecodeDocument(f *testing.F) {
	for i, d := range documents() {
		b, err := EncodeDocument(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		all := documents()
		d := blank(all[int(kind)%len(all)])
		if err := DecodeDocument(b, MaxDocument, d); err != nil {
			return
		}
		again, err := EncodeDocument(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeDocument(again, 2*MaxDocument, blank(d)); err != nil {
			t.Fatalf("%s was read, and written as %s: %v", b, again, err)
		}
	})
}
