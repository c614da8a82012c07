package fault

// Kind is what goes wrong.
type Kind string

// Faults of the cable and of the bytes that go over it.
const (
	// Unplug pulls the cable before object byte At is sent. It strikes once.
	Unplug Kind = "unplug-at"
	// UnplugErase pulls the cable at the Count-th deletion from now, by Variant before
	// it is done or after it, when the host was not told yet. It strikes once.
	UnplugErase Kind = "unplug-at-erase"
	// Reboot takes the camera away before object byte At and brings it back after the
	// time For, in the bay Bay where one is named. It strikes once.
	Reboot Kind = "reboot"
	// Storm pulls the camera and plugs it again Rate times a minute, for the time For,
	// or (For 0) until the faults are cleared.
	Storm Kind = "re-enumerate"
	// Stall stops answering before object byte At, for the time For, or (For 0) until
	// the host cancels. It strikes once.
	Stall Kind = "stall"
	// Halt stalls the bulk IN endpoint (USB's STALL) before object byte At. It strikes once.
	Halt Kind = "halt"
	// Slow limits object data to Rate bytes a second.
	Slow Kind = "slow"
	// Events floods the interrupt endpoint with Rate events a second, for the time For,
	// or (For 0) until the faults are cleared.
	Events Kind = "event-storm"
)

// Faults of the storage.
const (
	// Flip turns bit Bit of the byte at object offset At of Path on its Read-th
	// reading, or (Read 0) on every one.
	Flip Kind = "flip-bit"
	// Swap gives other bytes on the Read-th reading of Path, of the same number.
	Swap Kind = "swap-content"
	// BadBlock refuses to read the block of BlockSize bytes of Path that holds byte At.
	BadBlock Kind = "bad-block"
	// Endless gives bytes without end after the recording's own.
	Endless Kind = "endless-content"
	// Grow lets Path grow: At bytes of it are there, and Delta more each time the host
	// asks what it is, until it is whole.
	Grow Kind = "growing-file"
	// Full has no room on the card: it takes no recording more.
	Full Kind = "full-card"
	// ReadOnly refuses every deletion.
	ReadOnly Kind = "read-only-card"
	// Names adds recordings with hostile names of Variant. They are real recordings.
	Names Kind = "hostile-names"
	// Content adds recordings with hostile content of Variant. They are real recordings.
	Content Kind = "hostile-content"
	// Again adds a recording with the bytes of Path and a name of its own.
	Again Kind = "same-content"
)

// Faults of what the camera says.
const (
	// Size declares the size of Path wrong by Delta bytes.
	Size Kind = "lie-size"
	// Changing declares the size of Path wrong by Delta bytes every second time the host asks.
	Changing Kind = "changing-size"
	// Dates sends dates of the given Variant.
	Dates Kind = "bad-dates"
	// Handles lies in handle lists by Variant.
	Handles Kind = "lie-handles"
	// Containers lies in PTP containers and datasets by Variant, Count times, or
	// (Count 0) each time.
	Containers Kind = "lie-containers"
	// Descriptors lies in USB descriptors by Variant, from the next docking on.
	Descriptors Kind = "lie-descriptors"
	// Serial has the camera give the serial number of the camera in Bay, from the next
	// docking on.
	Serial Kind = "duplicate-serial"
	// ClockJump sets the camera's clock by Variant. Recordings made later carry its dates.
	ClockJump Kind = "clock-jump"
	// ClockDrift makes the camera's clock run Drift seconds per second too fast.
	ClockDrift Kind = "clock-drift"
	// Busy answers the next Count transactions with DeviceBusy.
	Busy Kind = "busy"
)

// Faults of the vendor extension. They are refused by a camera without it.
const (
	// WrongKey answers the identity challenge with another key than at the last docking.
	WrongKey Kind = "wrong-key"
	// ForeignCertificate shows the certificate of another agency's camera authority.
	ForeignCertificate Kind = "foreign-certificate"
	// ListSignature signs the recording list wrong.
	ListSignature Kind = "bad-list-signature"
	// FirmwareFails lets new firmware not come up after it was applied.
	FirmwareFails Kind = "firmware-fails"
)

// Variants of Names, Content, Dates, Handles, Containers, Descriptors, ClockJump and
// UnplugErase. VariantAll stands for every one of its kind.
const (
	VariantAll        = "all"
	VariantParent     = "parent"     // "../" and absolute paths
	VariantNUL        = "nul"        // NUL and control characters
	VariantLong       = "long"       // the longest name, in folders so deep that the path passes 4096 bytes
	VariantSurrogate  = "surrogate"  // broken UTF-16
	VariantTwins      = "twins"      // two recordings with the same name in one folder
	VariantBombs      = "bombs"      // MP4 boxes a million deep, of no size and of 2^64-1 bytes
	VariantClaims     = "claims"     // a sidecar that claims an officer and an agency, and one that is no JSON
	VariantGarbage    = "garbage"    // dates that are none
	VariantImpossible = "impossible" // dates that look right and are not on any calendar
	VariantEmpty      = "empty"      // no dates
	VariantFuture     = "future"     // a date far from now
	VariantMany       = "many"       // Count handles too many; of Names: 200 of them, not among VariantAll
	VariantDouble     = "double"     // each handle twice
	VariantLoop       = "loop"       // folders that contain each other
	VariantEndless    = "endless"    // Count handles more at each listing, up to a million

	VariantShort       = "short"          // a response whose length is less than its header
	VariantTransaction = "transaction"    // a response to another transaction
	VariantCount       = "count"          // an array of 2^32-1 elements
	VariantText        = "text"           // a string without end
	VariantZeroPacket  = "no-zero-packet" // the empty packet that ends a data phase is lost

	VariantZeroLength  = "zero-length"  // an endpoint descriptor of length 0
	VariantTotalLength = "total-length" // a configuration of 65,535 bytes
	VariantInterfaces  = "interfaces"   // 255 interfaces
	VariantNoEndpoints = "no-endpoints" // a still image interface with none
	VariantBadUSB      = "bad-usb"      // a keyboard, a network card and a disk beside the camera

	Variant1970      = "1970"      // the clock begins anew
	VariantTenYears  = "ten-years" // ahead
	VariantDST       = "dst"       // an hour ahead
	VariantBackwards = "backwards" // an hour back

	VariantBefore = "before" // the deletion
	VariantAfter  = "after"  // the deletion
)

// BlockSize is how many bytes a bad block has.
const BlockSize = 64 << 10

// Kinds lists every kind, for help texts.
func Kinds() []Kind {
	return []Kind{Unplug, UnplugErase, Reboot, Storm, Stall, Halt, Slow, Events, Flip, Swap, BadBlock, Endless, Grow, Full, ReadOnly,
		Names, Content, Again, Size, Changing, Dates, Handles, Containers, Descriptors, Serial, ClockJump, ClockDrift, Busy,
		WrongKey, ForeignCertificate, ListSignature, FirmwareFails}
}

// Variants lists what Variant may be for a kind; none if it has no variants.
func Variants(k Kind) []string {
	switch k {
	case Names:
		return []string{VariantAll, VariantParent, VariantNUL, VariantLong, VariantSurrogate, VariantTwins, VariantMany}
	case Content:
		return []string{VariantAll, VariantBombs, VariantClaims}
	case Dates:
		return []string{VariantGarbage, VariantImpossible, VariantEmpty, VariantFuture}
	case Handles:
		return []string{VariantMany, VariantDouble, VariantLoop, VariantEndless}
	case Containers:
		return []string{VariantShort, VariantTransaction, VariantCount, VariantText, VariantZeroPacket}
	case Descriptors:
		return []string{VariantZeroLength, VariantTotalLength, VariantInterfaces, VariantNoEndpoints, VariantBadUSB}
	case ClockJump:
		return []string{Variant1970, VariantTenYears, VariantDST, VariantBackwards}
	case UnplugErase:
		return []string{VariantBefore, VariantAfter}
	}
	return nil
}

// Extension says whether a kind is of the vendor extension.
func (k Kind) Extension() bool {
	switch k {
	case WrongKey, ForeignCertificate, ListSignature, FirmwareFails:
		return true
	}
	return false
}
