package upload

// Message is what one frame carries: a pointer to Hello, Welcome, Inventory,
// InventoryAck, Status, Release, ReleaseAck, Offer, Accept, Data, Ack, Finish,
// Receipt, Error, Ask, Answer, FirmwareFetch, FirmwareBlock, Join, Direction or Queue.
type Message interface {
	// Kind is the frame kind of the message's type; it works on a nil pointer.
	Kind() Kind
	// Validate reports the first field outside the limits of SPEC.md section 5
	// as an *Error with CodeBadFrame. Reading and writing call it.
	Validate() error
}

// Data is one sealed segment of a recording (SPEC.md section 4).
type Data struct {
	Index  uint64 // position of the segment in the recording, from 0
	Sealed []byte // as sealed at the dock, 1 to MaxSegment bytes
}

// Kind is KindHello.
func (*Hello) Kind() Kind { return KindHello }

// Kind is KindWelcome.
func (*Welcome) Kind() Kind { return KindWelcome }

// Kind is KindInventory.
func (*Inventory) Kind() Kind { return KindInventory }

// Kind is KindInventoryAck.
func (*InventoryAck) Kind() Kind { return KindInventoryAck }

// Kind is KindStatus.
func (*Status) Kind() Kind { return KindStatus }

// Kind is KindRelease.
func (*Release) Kind() Kind { return KindRelease }

// Kind is KindReleaseAck.
func (*ReleaseAck) Kind() Kind { return KindReleaseAck }

// Kind is KindOffer.
func (*Offer) Kind() Kind { return KindOffer }

// Kind is KindAccept.
func (*Accept) Kind() Kind { return KindAccept }

// Kind is KindData.
func (*Data) Kind() Kind { return KindData }

// Kind is KindAck.
func (*Ack) Kind() Kind { return KindAck }

// Kind is KindFinish.
func (*Finish) Kind() Kind { return KindFinish }

// Kind is KindReceipt.
func (*Receipt) Kind() Kind { return KindReceipt }

// Kind is KindError.
func (*Error) Kind() Kind { return KindError }

// Kind is KindAsk.
func (*Ask) Kind() Kind { return KindAsk }

// Kind is KindAnswer.
func (*Answer) Kind() Kind { return KindAnswer }

// Kind is KindFirmwareFetch.
func (*FirmwareFetch) Kind() Kind { return KindFirmwareFetch }

// Kind is KindFirmwareBlock.
func (*FirmwareBlock) Kind() Kind { return KindFirmwareBlock }

// Kind is KindJoin.
func (*Join) Kind() Kind { return KindJoin }

// Kind is KindDirection.
func (*Direction) Kind() Kind { return KindDirection }

// Kind is KindQueue.
func (*Queue) Kind() Kind { return KindQueue }

// SegmentCount is the number of leaf hashes in the offer, one per segment.
func (o *Offer) SegmentCount() uint64 { return uint64(len(o.GetLeaves()) / HashSize) }

// Leaf is the leaf hash of segment index, which must be below SegmentCount. The
// slice points into the offer.
func (o *Offer) Leaf(index uint64) []byte {
	return o.GetLeaves()[index*HashSize : (index+1)*HashSize]
}

// Holds says whether the server has a segment already: all before
// ResumeSegment, and those marked in Held.
func (m *Accept) Holds(index uint64) bool {
	if index < m.GetResumeSegment() {
		return true
	}
	n := index - m.GetResumeSegment()
	held := m.GetHeld()
	return n/8 < uint64(len(held)) && held[n/8]&(1<<(n%8)) != 0
}
