package firmware_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// machine is a camera of an agency, and what must be on it.
type machine struct {
	t      testing.TB
	rig    *rig
	host   *hosttest.Host
	agency agency
	keeps  []*firmware.Recording
	made   int
	trust  uint64
}

func (m *machine) record(size int64) {
	m.made++
	name := fmt.Sprintf("R%d.BIN", m.made)
	r := &firmware.Recording{Name: camera.NewText(name), Path: name, Kind: evidence.KindVideo, Size: size, Captured: noon,
		Content: firmware.Synthetic{Seed: uint64(m.made), Size: size}}
	r.SHA256 = digest(m.t, r)
	if err := m.rig.camera.Add(r); err != nil {
		m.t.Fatal(err)
	}
	m.keeps = append(m.keeps, r)
}

// docked opens a session, after whatever happened before.
func (m *machine) docked() {
	if m.host != nil {
		m.host.Close()
	}
	m.host = m.rig.session(m.t)
}

func (m *machine) unlock() {
	if s := status(m.t, m.host); s.Locked {
		send(m.t, m.host, m.agency.unlocking(m.t, s), camera.OpUnlockStorage)
	}
}

// erase sends a receipt that holds for one recording, to the handle of another or the same.
func (m *machine) erase(of, at *firmware.Recording, bad bool) {
	handle := uint32(0)
	for _, l := range m.rig.listing(m.t, m.host, 0) {
		if l.Sequence == at.Sequence {
			handle = l.Handle
		}
	}
	receipt := m.agency.receiptOf(m.t, m.rig.camera.Serial(), of)
	if bad {
		receipt[len(receipt)/2] ^= 1
	}
	code := send(m.t, m.host, receipt, camera.OpEraseRecording, handle)
	holds := !bad && of.Size == at.Size && of.SHA256 == at.SHA256
	if (code == camera.RespOK) != holds {
		m.t.Fatalf("erasing %s with the receipt of %s (damaged %t): %v", at.Path, of.Path, bad, code)
	}
	if holds {
		m.keeps = slices.DeleteFunc(m.keeps, func(r *firmware.Recording) bool { return r == at })
	}
}

// check compares the camera with what must be on it.
func (m *machine) check() {
	have := m.rig.camera.Recordings()
	if !slices.Equal(have, m.keeps) {
		m.t.Fatalf("the camera holds %d recordings, want %d", len(have), len(m.keeps))
	}
	last := uint64(0)
	for _, r := range have {
		if r.Sequence <= last || r.Sequence >= m.rig.camera.NextNumber() {
			m.t.Fatalf("number %d after %d", r.Sequence, last)
		}
		last = r.Sequence
	}
}

func (m *machine) one(t *rapid.T, what string) *firmware.Recording {
	if len(m.keeps) == 0 {
		t.Skip("no recording is left")
	}
	return m.keeps[rapid.IntRange(0, len(m.keeps)-1).Draw(t, what)]
}

func TestNoSequenceOfOperationsErasesWithoutAReceiptThatHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, rig: newRig(t), agency: agencyOf("here"), trust: 1}
		m.docked()
		m.rig.adopted(t, m.host, &m.agency)
		m.record(400)
		rt.Repeat(map[string]func(*rapid.T){
			"":       func(*rapid.T) { m.check() },
			"record": func(r *rapid.T) { m.record(rapid.SampledFrom([]int64{0, 400, 400, 401}).Draw(r, "size")) },
			"erase": func(r *rapid.T) {
				m.unlock()
				m.erase(m.one(r, "receipt of"), m.one(r, "recording"), rapid.Bool().Draw(r, "damaged"))
			},
			"erase rightly": func(r *rapid.T) {
				m.unlock()
				o := m.one(r, "recording")
				m.erase(o, o, false)
			},
			"any operation": func(r *rapid.T) {
				op := camera.Operation(rapid.SampledFrom(everyOperation()).Draw(r, "operation"))
				p := rapid.SliceOfN(rapid.SampledFrom([]uint32{0, 1, 2, 3, 5, 0x00010001, 0xFFFFFFFF}), 5, 5).Draw(r, "parameters")
				if takesData(op) {
					send(t, m.host, rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(r, "data"), op, p...)
				} else if _, err := m.host.Do(op, p...); err != nil {
					t.Fatalf("%v%v: %v", op, p, err)
				}
				if op == camera.OpCloseSession {
					m.docked()
				}
			},
			"lock":    func(*rapid.T) { do(t, m.host, camera.OpLockStorage) },
			"unlock":  func(*rapid.T) { m.unlock() },
			"pull":    func(*rapid.T) { m.docked() },
			"wait":    func(*rapid.T) { m.rig.pass(time.Minute) },
			"adopt":   func(*rapid.T) { sent(t, m.host, m.agency.adoption(t, m.rig.camera), camera.OpAdopt) },
			"restart": func(*rapid.T) { m.restart() },
			"trust": func(r *rapid.T) {
				m.trust++
				sent(t, m.host, m.agency.trust(t, m.trust), camera.OpSetTrust)
			},
			"be another's": func(*rapid.T) {
				other := agencyOf("there")
				if code := send(t, m.host, other.adoption(t, m.rig.camera), camera.OpAdopt); code != camera.RespOtherAuthority {
					t.Fatalf("taken over: %v", code)
				}
				if code := send(t, m.host, other.trust(t, 1000), camera.OpSetTrust); code != camera.RespNotAuthorized {
					t.Fatalf("trust of another: %v", code)
				}
			},
			"update": func(*rapid.T) {
				m.unlock()
				b := release(t, "2.0", 11, 100, maker())
				if status(t, m.host).Locked || send(t, m.host, b.statement, camera.OpFirmwareBegin) != camera.RespOK {
					return // a trial, or the docks are slowed down
				}
				send(t, m.host, b.image, camera.OpFirmwareWrite, 0, 0)
				if a, err := m.host.Do(camera.OpFirmwareApply); err == nil && a.Code == camera.RespOK {
					m.host = m.rig.restarted(t, m.host)
				}
			},
		})
		m.host.Close()
	})
}

func (m *machine) restart() {
	if err := m.rig.camera.Restart(); err != nil {
		m.t.Fatal(err)
	}
	m.host = m.rig.restarted(m.t, m.host)
}

func everyOperation() []camera.Operation {
	list := []camera.Operation{camera.OpGetDeviceInfo, camera.OpOpenSession, camera.OpCloseSession, camera.OpDeleteObject, camera.OpFormatStore,
		camera.OpResetDevice, camera.OpSendObject, camera.OpSendObjectInfo, camera.OpGetObject, camera.OpGetPartialObject64}
	for op := camera.Operation(0x9600); op < 0x9680; op++ {
		if op != camera.OpFirmwareApply {
			list = append(list, op)
		}
	}
	return list
}

func takesData(op camera.Operation) bool {
	return slices.Contains(append(dataOperations(), camera.OpSendObject, camera.OpSendObjectInfo), op)
}

func dataOperations() []camera.Operation {
	return []camera.Operation{camera.OpAdopt, camera.OpSetTrust, camera.OpUnlockStorage, camera.OpEraseRecording, camera.OpSetTime, camera.OpSetSettings,
		camera.OpFirmwareBegin, camera.OpFirmwareWrite, camera.OpAssignWearer}
}

// fuzzData sends what the fuzzer makes of good data to an operation: the camera answers,
// goes on working, and keeps its recordings and whose it is.
func fuzzData(f *testing.F, op camera.Operation, good func(*rig, *agency, camera.Status) []byte) {
	rig, here := newRig(f), agencyOf("here")
	made := rig.add(f, 1000)
	h := rig.session(f)
	rig.adopted(f, h, &here)
	handle := rig.listing(f, h, 0)[0].Handle
	before := status(f, h)
	seed := good(rig, &here, before)
	f.Add(seed, handle)
	f.Add(append(seed, ' '), handle)
	f.Add([]byte("{}"), uint32(0))
	f.Add([]byte(`{"payloadType":"x","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`), uint32(1))
	f.Fuzz(func(t *testing.T, data []byte, parameter uint32) {
		if bytes.Equal(bytes.TrimSpace(data), seed) && op == camera.OpEraseRecording {
			return // this one erases, rightly
		}
		if len(data) > camera.MaxDocument {
			return
		}
		if _, err := h.DoOut(data, op, parameter); err != nil {
			t.Fatal(err)
		}
		after := status(t, h)
		if left := rig.camera.Recordings(); len(left) != 1 || left[0] != made[0] {
			t.Fatalf("%d recordings are left", len(left))
		}
		if after.Agency != before.Agency || after.Authority != before.Authority || after.Firmware != before.Firmware || after.Trust < before.Trust {
			t.Fatalf("%+v, was %+v", after, before)
		}
		rig.pass(time.Hour)
	})
}

func FuzzAdopt(f *testing.F) {
	fuzzData(f, camera.OpAdopt, func(r *rig, a *agency, _ camera.Status) []byte { return a.adoption(f, r.camera) })
}

func FuzzSetTrust(f *testing.F) {
	fuzzData(f, camera.OpSetTrust, func(_ *rig, a *agency, _ camera.Status) []byte { return a.trust(f, 2) })
}

func FuzzUnlockStorage(f *testing.F) {
	fuzzData(f, camera.OpUnlockStorage, func(_ *rig, a *agency, s camera.Status) []byte { return a.unlocking(f, s) })
}

func FuzzEraseRecording(f *testing.F) {
	fuzzData(f, camera.OpEraseRecording, func(r *rig, a *agency, s camera.Status) []byte {
		return a.receiptOf(f, s.Serial, r.camera.Recordings()[0])
	})
}

func FuzzSetTime(f *testing.F) {
	fuzzData(f, camera.OpSetTime, func(*rig, *agency, camera.Status) []byte { return encode(f, camera.Time{Clock: noon.UnixMicro()}) })
}

func FuzzSetSettings(f *testing.F) {
	fuzzData(f, camera.OpSetSettings, func(_ *rig, a *agency, _ camera.Status) []byte {
		return a.profile(f, 1, map[string]string{"light": "on"})
	})
}

func FuzzFirmwareBegin(f *testing.F) {
	fuzzData(f, camera.OpFirmwareBegin, func(*rig, *agency, camera.Status) []byte { return release(f, "2.0", 11, 100, maker()).statement })
}

func FuzzFirmwareWrite(f *testing.F) {
	fuzzData(f, camera.OpFirmwareWrite, func(*rig, *agency, camera.Status) []byte { return []byte("an image") })
}

func FuzzAssignWearer(f *testing.F) {
	fuzzData(f, camera.OpAssignWearer, func(*rig, *agency, camera.Status) []byte {
		return encode(f, camera.Wearer{Officer: "Maya Lindqvist", OfficerID: "o-1041"})
	})
}

func TestFaultsOfTheExtension(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	rig.add(t, 100)
	h := rig.session(t)
	rig.adopted(t, h, &here)
	right := rig.camera.Key()

	rig.fault(t, fault.Fault{Kind: fault.WrongKey})
	wrong := rig.camera.Key()
	if bytes.Equal(right, wrong) || !bytes.Equal(prove(t, h, [16]byte{1}, wrong).Key, wrong) {
		t.Error("the camera still proves its own key")
	}
	rig.camera.Faults().Clear()

	rig.fault(t, fault.Fault{Kind: fault.ForeignCertificate})
	p := prove(t, h, [16]byte{1}, right)
	e, err := evidence.ParseEnvelope(p.Certificate)
	if err != nil || p.Agency == "here" {
		t.Errorf("agency %q, %v", p.Agency, err)
	} else if _, err := e.Verify(evidence.TypeCameraCertificate, publicOf(here.authority)); err == nil {
		t.Error("the certificate is its own agency's")
	}
	rig.camera.Faults().Clear()

	rig.fault(t, fault.Fault{Kind: fault.ListSignature})
	l := get[camera.Listing](t, h, camera.OpGetListing)
	if e, err = evidence.ParseEnvelope(l.Parts[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Verify(evidence.TypeCameraListing, right); err == nil {
		t.Error("the listing is signed well")
	}
	rig.camera.Faults().Clear()
	if list := rig.listing(t, h, 0); len(list) != 1 || !bytes.Equal(prove(t, h, [16]byte{1}, right).Key, right) {
		t.Error("the faults did not end")
	}
}
