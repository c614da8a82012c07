package upload

import "github.com/sealdock/sealdock/proto/evidence"

// Version is the protocol version of this package (SPEC.md section 3).
const Version = 1

// ALPN is the TLS application protocol name of protocol version 1.
const ALPN = "sealdock/1"

// Sizes of the data plane, in bytes (SPEC.md section 2).
const (
	HeaderSize     = 5                                // kind and payload length in front of every payload
	SegmentSize    = evidence.LeafSize                // plaintext bytes of every segment but the last
	SegmentSeal    = 32                               // what sealing adds to a segment
	MaxSegment     = SegmentSize + SegmentSeal        // longest sealed segment
	IndexSize      = 8                                // segment index at the start of a Data payload
	DataHeaderSize = HeaderSize + IndexSize           // everything in front of the sealed segment
	MaxData        = IndexSize + MaxSegment           // longest Data payload
	MaxFrame       = HeaderSize + maxInventoryPayload // longest frame of any kind
)

// Longest payloads of control messages, in bytes (SPEC.md section 2).
const (
	maxInventoryPayload = MaxInventory + 1<<10
	maxOfferPayload     = MaxSegments*HashSize + 128<<10
	maxStatusPayload    = 256 << 10
	maxControlPayload   = 64 << 10
	maxAnswerPayload    = 2 << 20
	maxBlockPayload     = MaxBlock + 1<<10
	maxDirectionPayload = 256 << 10
	maxQueuePayload     = 1 << 20
)

// Limits of single fields (SPEC.md section 5). Lengths are bytes.
const (
	MaxKeyID       = 128                                    // receipt key id
	MaxText        = 256                                    // versions, serials, models, port paths
	MaxMessage     = 1024                                   // sentences for people
	MaxOrigin      = 255                                    // origin line of the custody log
	MaxCheckpoint  = 16 << 10                               // signed checkpoint of the custody log
	MaxRestores    = 99                                     // how often the custody log was restored from a backup
	MaxConsistency = 64 * HashSize                          // consistency proof between two checkpoints
	MaxPublicKey   = 8 << 10                                // agency public key
	MaxWrappedKey  = 8 << 10                                // wrapped recording key
	MaxSealHeader  = 1 << 10                                // header of the sealed recording
	MaxStatement   = 60 << 10                               // manifest, release and receipt envelopes
	MaxInventory   = evidence.MaxEnvelope                   // inventory envelope
	HashSize       = 32                                     // one leaf hash
	MaxSegments    = evidence.MaxLength / evidence.LeafSize // segments, and leaf hashes, of one recording
	Ed25519KeySize = 32                                     // log and receipt public keys
	MaxPolicies    = 32                                     // settings profiles, and firmware offers, in one answer
	MaxPolicy      = 16 << 10                               // settings and firmware envelopes, certificates
	MaxTrust       = 512 << 10                              // trust envelope
	MaxBlock       = 256 << 10                              // bytes of a firmware image in one block
	MaxBays        = 128                                    // bays in one status
	MaxWaiting     = 500                                    // recordings in one queue
	MaxOrder       = 1000                                   // recordings that one direction puts in order, and as many urgent ones
	MaxOfficers    = 250                                    // urgent officers in one direction
	MaxCategories  = 100                                    // categories in one direction
	MaxWindows     = 64                                     // windows of one bandwidth table
	MaxHeld        = MaxSegments / 8                        // bytes of a list of segments held
	MaxShare       = 1_000_000                              // parts of a station's bandwidth
	MaxWeight      = 100                                    // of a category
	MaxRetryAfter  = 24 * 60 * 60 * 1000                    // milliseconds: one day
)
