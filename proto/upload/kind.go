package upload

import "fmt"

// Kind is the first byte of a frame (SPEC.md section 2).
type Kind uint8

// The kinds of protocol version 1.
const (
	KindHello        Kind = 1
	KindWelcome      Kind = 2
	KindInventory    Kind = 3
	KindInventoryAck Kind = 4
	KindStatus       Kind = 5
	KindRelease      Kind = 6
	KindReleaseAck   Kind = 7
	KindOffer        Kind = 8
	KindAccept       Kind = 9
	KindData         Kind = 10
	KindAck          Kind = 11
	KindFinish       Kind = 12
	KindReceipt      Kind = 13
	KindError        Kind = 14

	KindAsk           Kind = 15
	KindAnswer        Kind = 16
	KindFirmwareFetch Kind = 17
	KindFirmwareBlock Kind = 18

	KindJoin      Kind = 19
	KindDirection Kind = 20
	KindQueue     Kind = 21
)

// String gives the kind's name in SPEC.md, or "kind 99" for an unknown one.
func (k Kind) String() string {
	switch k {
	case KindHello:
		return "Hello"
	case KindWelcome:
		return "Welcome"
	case KindInventory:
		return "Inventory"
	case KindInventoryAck:
		return "InventoryAck"
	case KindStatus:
		return "Status"
	case KindRelease:
		return "Release"
	case KindReleaseAck:
		return "ReleaseAck"
	case KindOffer:
		return "Offer"
	case KindAccept:
		return "Accept"
	case KindData:
		return "Data"
	case KindAck:
		return "Ack"
	case KindFinish:
		return "Finish"
	case KindReceipt:
		return "Receipt"
	case KindError:
		return "Error"
	case KindAsk:
		return "Ask"
	case KindAnswer:
		return "Answer"
	case KindFirmwareFetch:
		return "FirmwareFetch"
	case KindFirmwareBlock:
		return "FirmwareBlock"
	case KindJoin:
		return "Join"
	case KindDirection:
		return "Direction"
	case KindQueue:
		return "Queue"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MaxPayload is the longest payload of a frame of this kind in bytes, and 0
// for an unknown kind.
func (k Kind) MaxPayload() int {
	switch k {
	case KindOffer:
		return maxOfferPayload
	case KindInventory:
		return maxInventoryPayload
	case KindStatus:
		return maxStatusPayload
	case KindData:
		return MaxData
	case KindAnswer:
		return maxAnswerPayload
	case KindFirmwareBlock:
		return maxBlockPayload
	case KindDirection:
		return maxDirectionPayload
	case KindQueue:
		return maxQueuePayload
	case KindAsk, KindFirmwareFetch, KindJoin, KindHello, KindWelcome, KindInventoryAck, KindRelease, KindReleaseAck,
		KindAccept, KindAck, KindFinish, KindReceipt, KindError:
		return maxControlPayload
	}
	return 0
}
