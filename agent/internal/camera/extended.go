package camera

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Clocked is a Link to a camera whose clock can be read and set while it is
// docked.
type Clocked interface {
	// ReadClock gives the camera's clock and how coarse its reading is: the true
	// reading lies between clock and clock plus resolution. ok is false when the
	// camera tells no clock.
	ReadClock(ctx context.Context) (clock time.Time, resolution time.Duration, ok bool, err error)
	// SetClock sets it, as precisely as the camera allows. A camera that does not
	// let its clock be set answers with a RefusedError.
	SetClock(ctx context.Context, now func() time.Time, uncertainty time.Duration) error
}

// Extended is a Link to a camera with the Sealdock extension (proto/camera
// SPEC.md section 7). It carries what the camera says and checks its form; whose
// signatures count is the caller's to judge. A camera's refusal is a RefusedError.
type Extended interface {
	Link
	CameraStatus(ctx context.Context) (ptp.Status, error)
	ProveIdentity(ctx context.Context, challenge [ptp.ChallengeSize]byte) (envelope []byte, err error)
	Adopt(ctx context.Context, a ptp.Adoption) error
	SetTrust(ctx context.Context, envelope []byte) error
	UnlockStorage(ctx context.Context, envelope []byte) error
	// SignedListing gives the parts of the camera's listing of recordings from a
	// number on: as many as fit into one answer.
	SignedListing(ctx context.Context, from uint64) (parts [][]byte, err error)
	// EraseRecording gives the camera the receipt that it demands, and returns the
	// camera's own signed statement of the erase; nil when it gives none.
	EraseRecording(ctx context.Context, object Object, sequence uint64, receipt []byte) (statement []byte, err error)
	Settings(ctx context.Context) (envelope []byte, err error)
	SetSettings(ctx context.Context, envelope []byte) error
	FirmwareStatus(ctx context.Context) (ptp.FirmwareStatus, error)
	FirmwareBegin(ctx context.Context, envelope []byte) error
	FirmwareWrite(ctx context.Context, offset uint64, block []byte) error
	FirmwareApply(ctx context.Context) error
	FirmwareConfirm(ctx context.Context) error
	AssignWearer(ctx context.Context, w ptp.Wearer) error
	SetIndicator(ctx context.Context, i ptp.Indicator) error
}

var (
	_ Extended = (*extendedLink)(nil)
	_ Clocked  = (*extendedLink)(nil)
	_ Clocked  = (*link)(nil)
)

// extendedLink is a link to a camera that has the extension.
type extendedLink struct{ *link }

// document asks for a JSON document.
func (l *extendedLink) document(ctx context.Context, op ptp.Operation, limit int, into any, parameters ...uint32) error {
	data, err := l.fetch(ctx, op, parameters...)
	if err != nil {
		return err
	}
	if err := ptp.DecodeDocument(data, limit, into); err != nil {
		return fmt.Errorf("reading the answer to %s: %w: %w", op, ErrProtocol, err)
	}
	return nil
}

// fetch asks for the bytes of a data phase.
func (l *extendedLink) fetch(ctx context.Context, op ptp.Operation, parameters ...uint32) ([]byte, error) {
	if err := l.settle(ctx); err != nil {
		return nil, err
	}
	data, _, err := l.s.ask(ctx, op, parameters...)
	return data, err
}

// statement asks for an envelope.
func (l *extendedLink) statement(ctx context.Context, op ptp.Operation, parameters ...uint32) ([]byte, error) {
	data, err := l.fetch(ctx, op, parameters...)
	if err == nil && len(data) > ptp.MaxDocument {
		err = fmt.Errorf("%w: %s gave %d bytes, at most %d are read", ErrProtocol, op, len(data), ptp.MaxDocument)
	}
	return data, err
}

// send gives the camera the data of an operation.
func (l *extendedLink) send(ctx context.Context, op ptp.Operation, data []byte, parameters ...uint32) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	return l.s.tell(ctx, op, data, parameters...)
}

func (l *extendedLink) sendDocument(ctx context.Context, op ptp.Operation, document any) error {
	data, err := ptp.EncodeDocument(document)
	if err != nil {
		return err
	}
	return l.send(ctx, op, data)
}

// run is an operation without data, which must not run twice by itself.
func (l *extendedLink) run(ctx context.Context, op ptp.Operation, parameters ...uint32) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	_, err := l.s.patiently(ctx, op, false, func() (ptp.Block, error) {
		_, block, err := l.s.once(ctx, op, maxDataset, parameters...)
		return block, err
	})
	return err
}

// CameraStatus implements Extended.
func (l *extendedLink) CameraStatus(ctx context.Context) (s ptp.Status, err error) {
	return s, l.document(ctx, ptp.OpGetCameraStatus, ptp.MaxDocument, &s)
}

// ProveIdentity implements Extended.
func (l *extendedLink) ProveIdentity(ctx context.Context, challenge [ptp.ChallengeSize]byte) ([]byte, error) {
	var words [ptp.ChallengeSize / 4]uint32
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(challenge[4*i:])
	}
	return l.statement(ctx, ptp.OpProveIdentity, words[:]...)
}

// Adopt implements Extended.
func (l *extendedLink) Adopt(ctx context.Context, a ptp.Adoption) error {
	return l.sendDocument(ctx, ptp.OpAdopt, a)
}

// SetTrust implements Extended.
func (l *extendedLink) SetTrust(ctx context.Context, envelope []byte) error {
	return l.send(ctx, ptp.OpSetTrust, envelope)
}

// UnlockStorage implements Extended.
func (l *extendedLink) UnlockStorage(ctx context.Context, envelope []byte) error {
	return l.send(ctx, ptp.OpUnlockStorage, envelope)
}

// SignedListing implements Extended.
func (l *extendedLink) SignedListing(ctx context.Context, from uint64) ([][]byte, error) {
	var listing ptp.Listing
	err := l.document(ctx, ptp.OpGetListing, ptp.MaxListingDocument, &listing, uint32(from), uint32(from>>32))
	return listing.Parts, err
}

// EraseRecording implements Extended.
func (l *extendedLink) EraseRecording(ctx context.Context, object Object, sequence uint64, receipt []byte) ([]byte, error) {
	delete(l.proven, object.Handle) // asked anew, however recently it was proven
	if err := l.prove(ctx, &object); err != nil {
		return nil, fmt.Errorf("erasing %s: %w", object.Path, err)
	}
	if err := l.send(ctx, ptp.OpEraseRecording, receipt, object.Handle); err != nil {
		return nil, fmt.Errorf("erasing %s: %w", object.Path, err)
	}
	delete(l.proven, object.Handle)
	statement, err := l.statement(ctx, ptp.OpGetEraseStatement, uint32(sequence), uint32(sequence>>32))
	if isRefusal(err) {
		l.s.log.Warn("the camera erased a recording and gives no statement of it", "sequence", sequence, "error", err)
		return nil, nil
	}
	return statement, err
}

// Settings implements Extended.
func (l *extendedLink) Settings(ctx context.Context) ([]byte, error) {
	return l.statement(ctx, ptp.OpGetSettings)
}

// SetSettings implements Extended.
func (l *extendedLink) SetSettings(ctx context.Context, envelope []byte) error {
	return l.send(ctx, ptp.OpSetSettings, envelope)
}

// FirmwareStatus implements Extended.
func (l *extendedLink) FirmwareStatus(ctx context.Context) (s ptp.FirmwareStatus, err error) {
	return s, l.document(ctx, ptp.OpGetFirmwareStatus, ptp.MaxDocument, &s)
}

// FirmwareBegin implements Extended.
func (l *extendedLink) FirmwareBegin(ctx context.Context, envelope []byte) error {
	return l.send(ctx, ptp.OpFirmwareBegin, envelope)
}

// FirmwareWrite implements Extended.
func (l *extendedLink) FirmwareWrite(ctx context.Context, offset uint64, block []byte) error {
	return l.send(ctx, ptp.OpFirmwareWrite, block, uint32(offset), uint32(offset>>32))
}

// FirmwareApply implements Extended.
func (l *extendedLink) FirmwareApply(ctx context.Context) error {
	return l.run(ctx, ptp.OpFirmwareApply)
}

// FirmwareConfirm implements Extended.
func (l *extendedLink) FirmwareConfirm(ctx context.Context) error {
	return l.run(ctx, ptp.OpFirmwareConfirm)
}

// AssignWearer implements Extended.
func (l *extendedLink) AssignWearer(ctx context.Context, w ptp.Wearer) error {
	return l.sendDocument(ctx, ptp.OpAssignWearer, w)
}

// SetIndicator implements Extended.
func (l *extendedLink) SetIndicator(ctx context.Context, i ptp.Indicator) error {
	return l.run(ctx, ptp.OpSetIndicator, uint32(i))
}

// ReadClock implements Clocked, in microseconds.
func (l *extendedLink) ReadClock(ctx context.Context) (time.Time, time.Duration, bool, error) {
	var t ptp.Time
	if err := l.document(ctx, ptp.OpGetTime, ptp.MaxDocument, &t); err != nil {
		if isRefusal(err) {
			return time.Time{}, 0, false, nil
		}
		return time.Time{}, 0, false, err
	}
	return time.UnixMicro(t.Clock).UTC(), time.Microsecond, true, nil
}

// SetClock implements Clocked.
func (l *extendedLink) SetClock(ctx context.Context, now func() time.Time, uncertainty time.Duration) error {
	return l.sendDocument(ctx, ptp.OpSetTime, ptp.Time{Clock: now().UnixMicro(), Uncertainty: uncertainty.Microseconds()})
}

// ReadClock implements Clocked by the DateTime property (PIMA 15740 section
// 13.3.5), which counts whole seconds. Where the camera names no zone, clock has
// its local numbers as if they were UTC.
func (l *link) ReadClock(ctx context.Context) (time.Time, time.Duration, bool, error) {
	if err := l.settle(ctx); err != nil {
		return time.Time{}, 0, false, err
	}
	v, ok, err := l.deviceProperty(ctx, ptp.DevPropDateTime, ptp.TypeText)
	if err != nil || !ok {
		return time.Time{}, 0, false, err
	}
	at, err := ptp.ParseDateTime(v.Text.String())
	if err != nil {
		return time.Time{}, 0, false, nil
	}
	l.zoned = at.Zoned
	return at.Time, time.Second, true, nil
}

// SetClock implements Clocked. It waits for the beginning of a second of the
// dock's clock, since the property holds no parts of one. A camera that names
// no zone gets the dock's local time.
func (l *link) SetClock(ctx context.Context, now func() time.Time, _ time.Duration) error {
	if !l.info.HasProperty(ptp.DevPropDateTime) || !l.info.Supports(ptp.OpSetDevicePropValue) {
		return &RefusedError{Operation: ptp.OpSetDevicePropValue, Code: ptp.RespDevicePropNotSupported}
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	next := now().Truncate(time.Second).Add(time.Second)
	if err := sleep(ctx, next.Sub(now())); err != nil {
		return err
	}
	text := next.Local().Format("20060102T150405")
	if l.zoned {
		text = next.UTC().Format("20060102T150405") + "Z"
	}
	value, err := ptp.Value{Type: ptp.TypeText, Text: ptp.NewText(text)}.Append(nil)
	if err != nil {
		return fmt.Errorf("writing the camera's clock: %w", err)
	}
	return l.s.tell(ctx, ptp.OpSetDevicePropValue, value, uint32(ptp.DevPropDateTime))
}

// tell runs a transaction whose data goes to the camera. It is not repeated
// after a fault, since the camera may have acted.
func (s *session) tell(ctx context.Context, op ptp.Operation, data []byte, parameters ...uint32) error {
	_, err := s.patiently(ctx, op, false, func() (ptp.Block, error) { return s.tellOnce(ctx, op, data, parameters...) })
	return err
}

func (s *session) tellOnce(ctx context.Context, op ptp.Operation, data []byte, parameters ...uint32) (ptp.Block, error) {
	id := s.next()
	command, err := ptp.Command(op, id, parameters...).Append(make([]byte, 0, ptp.MaxBlockSize))
	if err != nil {
		return ptp.Block{}, err
	}
	container := append(ptp.DataHeader(op, id, uint64(len(data))).Append(make([]byte, 0, ptp.HeaderSize+len(data))), data...)
	for _, transfer := range [][]byte{command, container} {
		if err := s.bulkOut(ctx, op, transfer); err != nil {
			return ptp.Block{}, err
		}
	}
	n, header, err := s.container(ctx)
	if err != nil {
		return ptp.Block{}, fmt.Errorf("waiting for the response to %s: %w", op, err)
	}
	if header.Type != ptp.ContainerResponse || header.Transaction != id {
		return ptp.Block{}, s.broken("%s of transaction %d instead of the response to %s, transaction %d", header.Type, header.Transaction, op, id)
	}
	return s.block(s.first[:n])
}

func (s *session) bulkOut(ctx context.Context, op ptp.Operation, transfer []byte) error {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.pipe.BulkOut(limited, transfer)
	return s.judge(ctx, fmt.Sprintf("sending %s", op), err)
}
