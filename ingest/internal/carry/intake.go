package carry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// errDrive is wrapped when one recording cannot be read from the drive, or is not
// what its index says. The others go on.
var errDrive = errors.New("on the drive it is not as it should be; the dock still has it: export to the drive once more, or let it come over the network")

// syncEvery is how many segments are taken between two flushes: what a run that
// is broken off has to read again.
const syncEvery = 64

// maxOffer bounds an offer's file in bytes.
const maxOffer = upload.HeaderSize + upload.MaxSegments*upload.HashSize + 256<<10

// intake takes in one recording.
type intake struct {
	*importer
	rec    *evidence.CarriedRecording
	part   uint64
	file   *os.File // of that part; nil: none is open
	buffer []byte
}

func (t *intake) take(ctx context.Context) error {
	defer t.closeFile()
	offer, err := t.offer()
	if err != nil {
		return err
	}
	admission, err := t.Taker.Offer(ctx, t.peer, offer)
	if err != nil {
		return err
	}
	if admission.Receipt != nil {
		t.has(admission.Receipt, false)
		return nil
	}
	receipt, err := t.segments(ctx, admission.Intake)
	if err = errors.Join(err, admission.Intake.Close()); err != nil {
		return err
	}
	t.has(receipt, true)
	return nil
}

// offer reads the offer and compares what it names with the index.
func (t *intake) offer() (*upload.Offer, error) {
	raw, err := t.read(drive.Offer(t.rec.Evidence, t.rec.Attempt), maxOffer, t.rec.Offer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errDrive)
	}
	rest := bytes.NewReader(raw)
	offer, err := upload.Expect[*upload.Offer](rest, new(upload.Buffer))
	if err == nil && rest.Len() > 0 {
		err = errors.New("there is more in the file of the offer")
	}
	if err != nil {
		return nil, fmt.Errorf("its offer cannot be read: %w: %w", err, errDrive)
	}
	var m evidence.Manifest
	envelope, err := evidence.ParseEnvelope(offer.GetManifest())
	if err == nil {
		err = evidence.Decode(envelope.Payload, &m)
	}
	if err == nil && (m.Evidence != t.rec.Evidence || m.Attempt != t.rec.Attempt || m.Sealed().Length != t.rec.Length || drive.Parts(t.rec.Length) != uint64(len(t.rec.Files))) {
		err = errors.New("its manifest is of another recording than the index says")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errDrive)
	}
	return offer, nil
}

// segments hands over what is missing and returns the receipt.
func (t *intake) segments(ctx context.Context, in receive.Intake) ([]byte, error) {
	count := seal.SegmentCount(t.rec.Length)
	t.buffer = make([]byte, min(t.rec.Length, seal.SegmentSize)+seal.Overhead)
	first := in.Durable().First
	there := upload.Accept{ResumeSegment: first, Held: in.Held(first)}
	for index := range count {
		if there.Holds(index) {
			t.advance(seal.SegmentLen(t.rec.Length, index))
			continue
		}
		select {
		case <-in.Interrupted():
			return nil, upload.Errorf(upload.CodeRetryLater, "it comes over the network at this moment")
		case <-ctx.Done():
			return nil, ctx.Err()
		default:
		}
		sealed, err := t.segment(index)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, errDrive)
		}
		var refused *upload.Error
		_, err = in.Segment(ctx, index, sealed)
		if errors.As(err, &refused) && refused.Code == upload.CodeDigestMismatch {
			return nil, fmt.Errorf("segment %d of %d is damaged: %w", index, count, errDrive)
		}
		if err == nil && (index+1)%syncEvery == 0 {
			_, err = in.Sync(ctx)
		}
		if err != nil {
			return nil, err
		}
		t.advance(seal.SegmentLen(t.rec.Length, index))
	}
	return in.Finish(context.WithoutCancel(ctx), func(receive.Stage) {})
}

// segment reads one sealed segment.
func (t *intake) segment(index uint64) ([]byte, error) {
	part, offset := drive.Place(index)
	if t.file == nil || part != t.part {
		t.closeFile()
		file, err := t.folder.OpenFile(drive.Part(t.rec.Evidence, t.rec.Attempt, part), drive.PartSize(t.rec.Length, part))
		if err != nil {
			return nil, err
		}
		t.file, t.part = file, part
	}
	sealed := t.buffer[:seal.SegmentLen(t.rec.Length, index)+seal.Overhead]
	if n, err := t.file.ReadAt(sealed, offset); n < len(sealed) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, drive.Explain(err, t.folder.Path())
	}
	return sealed, nil
}

func (t *intake) closeFile() {
	if t.file != nil {
		t.file.Close() // only read
		t.file = nil
	}
}

func (t *intake) advance(bytes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Bytes += min(bytes, t.rec.Length)
	t.Tell(t.report.Progress)
}

// has counts a recording that is stored, and writes its receipt to the drive.
func (t *intake) has(receipt []byte, fresh bool) {
	written := t.putReceipt(receipt)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Recordings++
	if fresh {
		t.report.Stored++
	} else {
		t.report.Known++
		t.report.Bytes += t.rec.Length
	}
	if written {
		t.report.Receipts++
	}
	t.Tell(t.report.Progress)
}

func (t *intake) putReceipt(receipt []byte) bool {
	t.mu.Lock()
	given := t.report.NoReceipts != ""
	t.mu.Unlock()
	if given {
		return false
	}
	if _, err := t.folder.Put(drive.Receipt(t.rec.Evidence, t.rec.Attempt), receipt); err != nil {
		t.withoutReceipts(err)
		return false
	}
	return true
}
