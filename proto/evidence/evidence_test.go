package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func goodManifest() *Manifest {
	return &Manifest{
		Version: 1, Agency: "metro-pd", Station: "north", Dock: "north-1", Bay: "1-2", Docking: DockingID{1},
		Evidence: EvidenceID{2}, Attempt: 1,
		Camera:    CameraInfo{Serial: "SD0001", Model: "Cam"},
		Recording: RecordingInfo{Path: "DCIM/100SEALD/CLIP0001.MP4", Handle: 7, Format: 0xB982, Size: 3, SizeKnown: true, Kind: KindVideo},
		Length:    3, SHA256: SHA256([]byte("abc")), MerkleRoot: LeafHash([]byte("abc")), Confirmed: ConfirmedByReread,
		Clocks: Clocks{DockStart: time.Unix(1, 0).UTC(), DockEnd: time.Unix(2, 0).UTC()},
		Agent:  "test",
	}
}

func TestAManifestSurvivesItsEnvelope(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	payload, err := Encode(goodManifest())
	if err != nil {
		t.Fatal(err)
	}
	env, err := ParseEnvelope(Sign(TypeManifest, payload, "k", key).Marshal())
	if err != nil {
		t.Fatal(err)
	}
	got, err := env.Verify(TypeManifest, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	var m Manifest
	if err := Decode(got, &m); err != nil {
		t.Fatal(err)
	}
	if m.SHA256 != SHA256([]byte("abc")) || m.Recording.Path != "DCIM/100SEALD/CLIP0001.MP4" {
		t.Fatalf("manifest changed on its way: %+v", m)
	}
}

func TestASignatureHoldsForItsTypeKeyAndBytesOnly(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	other, _, _ := ed25519.GenerateKey(nil)
	env := Sign(TypeManifest, []byte("{}"), "k", key)
	if _, err := env.Verify(TypeReceipt, pub); err == nil {
		t.Error("a manifest passed as a receipt")
	}
	retyped := *env
	retyped.PayloadType = TypeReceipt
	if _, err := retyped.Verify(TypeReceipt, pub); !errors.Is(err, ErrSignature) {
		t.Errorf("a retyped envelope: %v", err)
	}
	if _, err := env.Verify(TypeManifest, other); !errors.Is(err, ErrSignature) {
		t.Errorf("a foreign key: %v", err)
	}
	changed := *env
	changed.Payload = []byte("{ }")
	if _, err := changed.Verify(TypeManifest, pub); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed payload: %v", err)
	}
	if _, err := env.Verify(TypeManifest, nil); err == nil {
		t.Error("an empty key verified")
	}
}

func TestBadStatementsAreRefusedInWords(t *testing.T) {
	good, err := Encode(goodManifest())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ from, to, want string }{
		"unknown field":        {`{"version":1`, `{"extra":1,"version":1`, "unknown field"},
		"repeated key":         {`{"version":1`, `{"version":1,"version":1`, "repeated"},
		"key in other case":    {`{"version":1`, `{"Version":1,"version":1`, "repeated"},
		"key not ASCII":        {`{"version":1`, `{"verſion":1,"version":1`, "not plain ASCII"},
		"escaped key":          {`{"version":1`, `{"vers\u0069on":1,"version":1`, "not plain ASCII"},
		"later version":        {`"version":1`, `"version":2`, "update the older side"},
		"agency with slash":    {`"metro-pd"`, `"../pd"`, "agency id"},
		"newline in serial":    {`"SD0001"`, `"SD\n1"`, "control"},
		"short hash":           {`"sha256":"`, `"sha256":"00`, "hex"},
		"huge length":          {`"length":3`, `"length":9223372036854775807`, "at most"},
		"negative length":      {`"length":3`, `"length":-3`, "cannot unmarshal"},
		"attempt zero":         {`"attempt":1`, `"attempt":0`, "attempt"},
		"unknown kind":         {`"kind":"video"`, `"kind":"exe"`, "kind"},
		"unconfirmed":          {`"confirmed":"reread"`, `"confirmed":"hope"`, "confirmation"},
		"trailing bytes":       {`"agent":"test"}`, `"agent":"test"}{}`, "after top-level value"},
		"nested beyond reason": {`"claims":{}`, `"claims":` + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested"},
	}
	for name, c := range cases {
		bad := strings.Replace(string(good), c.from, c.to, 1)
		if bad == string(good) {
			t.Errorf("%s: the case changes nothing in %s", name, good)
			continue
		}
		var m Manifest
		if err := Decode([]byte(bad), &m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestContentsThatContradictTheirManifestAreRefused(t *testing.T) {
	root := LeafHash([]byte("encoded"))
	for name, c := range map[string]struct {
		content Content
		length  uint64
		want    string // "" is taken
	}{
		"zstd":                {Content{EncodedZstd, 700, root}, 1000, ""},
		"unknown, and longer": {Content{"brotli", 7000, root}, 1000, ""},
		"unknown, of much":    {Content{"brotli", 7000, root}, MaxLength, ""},
		"the most":            {Content{EncodedZstd, MaxEncoded - 1, root}, MaxEncoded, ""},
		"no encoding":         {Content{EncodedAsIs, 700, root}, 1000, "missing"},
		"no root":             {Content{EncodedZstd, 700, Digest{}}, 1000, "hash"},
		"not shorter":         {Content{EncodedZstd, 1000, root}, 1000, "shorter"},
		"of much":             {Content{EncodedZstd, 700, root}, MaxEncoded + 1, "at most"},
		"huge":                {Content{"brotli", MaxLength + 1, root}, 1000, "at most"},
		"a broken name":       {Content{"br\x01", 700, root}, 1000, "control"},
		"a long name":         {Content{Encoding(strings.Repeat("z", 33)), 700, root}, 1000, "at most"},
	} {
		m := goodManifest()
		m.Length, m.Content = c.length, &c.content
		payload, err := Encode(m)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			continue
		}
		var again Manifest
		if err == nil {
			err = Decode(payload, &again)
		}
		if err != nil || again.Sealed() != c.content {
			t.Errorf("%s: %+v, %v", name, again.Content, err)
		}
	}
	if m := goodManifest(); m.Sealed() != (Content{EncodedAsIs, m.Length, m.MerkleRoot}) {
		t.Errorf("sealed as it was read: %+v", m.Sealed())
	}
}

// The RFC 6962 example trees, as published with certificate-transparency's
// reference implementation (merkletree test inputs).
func TestMerkleRootIsThatOfRFC6962(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var leaves []Digest
	for i, in := range inputs {
		b, _ := hex.DecodeString(in)
		leaves = append(leaves, LeafHash(b))
		if got := MerkleRoot(leaves).String(); got != roots[i] {
			t.Errorf("root over %d leaves is %s, want %s", i+1, got, roots[i])
		}
	}
	if got := MerkleRoot(nil).String(); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("root over nothing is %s", got)
	}
	back, err := DecodeLeaves(EncodeLeaves(leaves))
	if err != nil || MerkleRoot(back) != MerkleRoot(leaves) {
		t.Errorf("leaves changed on their way: %v", err)
	}
}

func TestLeafCountCoversEveryByte(t *testing.T) {
	for length, want := range map[uint64]uint64{0: 1, 1: 1, LeafSize: 1, LeafSize + 1: 2, 5 << 30: 5 << 10, MaxLength: 128 << 10} {
		if got := LeafCount(length); got != want {
			t.Errorf("LeafCount(%d) = %d, want %d", length, got, want)
		}
	}
}

// keysByDecoder is checkKeys by way of encoding/json's own tokens.
func keysByDecoder(d *json.Decoder) (ok bool) {
	t, err := d.Token()
	if err != nil {
		return false
	}
	delim, _ := t.(json.Delim)
	seen := map[string]bool{}
	ok = true
	for (delim == '{' || delim == '[') && d.More() {
		if delim == '{' {
			k, err := d.Token()
			if err != nil {
				return false
			}
			key := strings.ToLower(k.(string))
			ok = ok && !seen[key]
			seen[key] = true
		}
		ok = keysByDecoder(d) && ok
	}
	if delim == '{' || delim == '[' {
		_, err = d.Token()
	}
	return ok && err == nil
}

// What checkKeys lets through, a walk by encoding/json finds no fault with.
func FuzzCheckKeys(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[{"a":{}}],"c":"\\\"}"}`, `{"a":1,"A":2}`, `[[],{},"",{"x":{"x":1}}]`, `{"a,":"{","b":","}`, `"x"`, `1`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if checkKeys(b) == nil && !keysByDecoder(d) {
			t.Fatalf("%q passed", b)
		}
	})
}

func BenchmarkDecodeManifest(b *testing.B) {
	payload, err := Encode(goodManifest())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := Decode(payload, new(Manifest)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecodeStatements(f *testing.F) {
	good, _ := Encode(goodManifest())
	f.Add(good)
	f.Add([]byte(`{"version":1,"part":1,"parts":1}`))
	f.Add([]byte(`{"payloadType":"x","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []Statement{&Manifest{}, &Inventory{}, &Receipt{}, &Release{}, &Event{}} {
			if Decode(b, s) != nil {
				continue
			}
			again, err := Encode(s)
			if err != nil {
				t.Fatalf("accepted %q, but %v", b, err)
			}
			if err := Decode(again, s); err != nil {
				t.Fatalf("accepted %q, wrote %q, refused that: %v", b, again, err)
			}
		}
		if e, err := ParseEnvelope(b); err == nil && !bytes.Contains(b, []byte(`"`)) {
			t.Fatalf("envelope from nothing: %+v", e)
		}
	})
}
