package camera

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"testing"
)

// vector is one line of testdata/vectors.json. The file was made by an encoder
// that shares nothing with this package.
type vector struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"`
	Hex     string          `json:"hex"`
	Outcome string          `json:"outcome"` // "ok" or "malformed"
	Decoded json.RawMessage `json:"decoded"`
	OneWay  bool            `json:"one_way"` // accepted, but we would encode it otherwise
}

func (v vector) bytes(t testing.TB) []byte {
	t.Helper()
	p, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatalf("vector %s: %v", v.Name, err)
	}
	return p
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// transcode decodes p as the kind says, and encodes the result again.
func transcode(kind string, p []byte) (decoded any, again []byte, err error) {
	switch kind {
	case "header":
		h, err := ParseHeader(p)
		return h, h.Append(nil), err
	case "block":
		b, err := ParseBlock(p)
		if err != nil {
			return b, nil, err
		}
		again, err = b.Append(nil)
		return b, again, err
	case "device_info":
		d, err := ParseDeviceInfo(p)
		return finish(d, err, d.Append)
	case "storage_info":
		s, err := ParseStorageInfo(p)
		return finish(s, err, s.Append)
	case "object_info":
		o, err := ParseObjectInfo(p)
		return finish(o, err, o.Append)
	case "device_property":
		d, err := ParseDevicePropDesc(p)
		return finish(d, err, d.Append)
	case "object_property":
		d, err := ParseObjectPropDesc(p)
		return finish(d, err, d.Append)
	case "property_list":
		list, err := ParseObjectPropList(p)
		return finish(list, err, func(dst []byte) ([]byte, error) { return AppendObjectPropList(dst, list) })
	case "handles":
		list, err := ParseHandles(p)
		return list, AppendHandles(nil, list), err
	case "status":
		s, err := ParseDeviceStatus(p)
		return finish(s, err, s.Append)
	case "cancel":
		id, err := ParseCancelRequest(p)
		return id, AppendCancelRequest(nil, id), err
	}
	return nil, nil, errors.New("unknown kind of vector: " + kind)
}

// finish encodes again what was decoded. A string of 255 units without its NUL is
// taken but cannot be written, so a failure to encode leaves again empty.
func finish[T any](v T, err error, encode func([]byte) ([]byte, error)) (any, []byte, error) {
	if err != nil {
		return v, nil, err
	}
	again, err := encode(nil)
	if err != nil {
		return v, nil, nil
	}
	return v, again, nil
}

func TestVectorsDecodeAsTheFormatSays(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			p := v.bytes(t)
			decoded, again, err := transcode(v.Kind, p)
			if v.Outcome == "malformed" {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("error is %v, want ErrMalformed", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(decoded)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, v.Decoded); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("decoded\n%s\nwant\n%s", got, want.Bytes())
			}
			if !v.OneWay && !bytes.Equal(again, p) {
				t.Errorf("encoded again\n%x\nwant\n%x", again, p)
			}
		})
	}
}

// Every cut of a good dataset is refused or, where the format allows an early end, taken; none panics.
func TestEveryCutOfADatasetIsHandled(t *testing.T) {
	for _, v := range vectors(t) {
		p := v.bytes(t)
		for n := range p {
			if _, _, err := transcode(v.Kind, p[:n]); err != nil && !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s cut to %d bytes: %v", v.Name, n, err)
			}
		}
	}
}

func TestClaimedCountsDoNotAllocate(t *testing.T) {
	claim := append([]byte{0xff, 0xff, 0x0f, 0}, make([]byte, 64)...)
	for name, parse := range map[string]func(){
		"handles":       func() { _, _ = ParseHandles(claim) },
		"properties":    func() { _, _ = ParseProperties(claim) },
		"property list": func() { _, _ = ParseObjectPropList(claim) },
		"array":         func() { _, _ = ParseValue(TypeArray|TypeUint128, claim) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			parse()
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / 100; got > 16384 {
			t.Errorf("%s: %d bytes allocated for a claim of a million elements", name, got)
		}
	}
}

func fuzzKind(f *testing.F, kinds ...string) {
	for _, v := range vectors(f) {
		f.Add(v.bytes(f))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, kind := range kinds {
			decoded, again, err := transcode(kind, p)
			if err != nil {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s: %v does not wrap ErrMalformed", kind, err)
				}
				continue
			}
			if again == nil {
				continue
			}
			twice, last, err := transcode(kind, again)
			if err != nil {
				t.Fatalf("%s: our own encoding is refused: %v", kind, err)
			}
			if !bytes.Equal(again, last) {
				t.Fatalf("%s: encoding changes: %x then %x (%v, %v)", kind, again, last, decoded, twice)
			}
		}
	})
}

func FuzzParseHeader(f *testing.F)         { fuzzKind(f, "header") }
func FuzzParseBlock(f *testing.F)          { fuzzKind(f, "block") }
func FuzzParseDeviceInfo(f *testing.F)     { fuzzKind(f, "device_info") }
func FuzzParseStorageInfo(f *testing.F)    { fuzzKind(f, "storage_info") }
func FuzzParseObjectInfo(f *testing.F)     { fuzzKind(f, "object_info") }
func FuzzParseDevicePropDesc(f *testing.F) { fuzzKind(f, "device_property") }
func FuzzParseObjectPropDesc(f *testing.F) { fuzzKind(f, "object_property") }
func FuzzParseObjectPropList(f *testing.F) { fuzzKind(f, "property_list") }
func FuzzParseHandles(f *testing.F)        { fuzzKind(f, "handles") }
func FuzzParseClassRequests(f *testing.F)  { fuzzKind(f, "status", "cancel") }
