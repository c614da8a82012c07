package check

import (
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

// doubtful is a row in which a camera with the extension cannot show that it is itself.
func doubtful(name, covers string, kind fault.Kind, done string, words ...string) Row {
	return Row{Name: name, Covers: covers, Cameras: 1, Extended: true, Done: done,
		Holds: "its recordings are taken in and marked, people are told, and none is erased",
		Play: func(s *scene) {
			s.fault(0, fault.Fault{Kind: kind})
			s.plug(0)
			s.told(0, words...)
			s.stored(0, files)
			s.keeps(0, files)
		}}
}

func extensionRows() []Row {
	return []Row{
		{Name: "another key than at the last docking", Covers: "D6, wrong-key", Cameras: 1, Extended: true,
			Done:  "it proves another key than at its last docking",
			Holds: "its recordings are taken in and marked, people are told, and none is erased",
			Play: func(s *scene) {
				s.plug(0)
				s.stored(0, files)
				s.fault(0, fault.Fault{Kind: fault.WrongKey})
				s.unplug(0)
				s.record(0)
				left := len(s.recordings(0))
				s.plug(0)
				s.told(0, "key is another", "another key", "could not prove who it is")
				s.stored(0, files+1)
				s.keeps(0, left)
			}},
		doubtful("a certificate of another agency", "attack case 25, foreign-certificate", fault.ForeignCertificate,
			"it shows the certificate of another agency's camera authority", "belongs to another agency"),
		{Name: "a listing that is signed wrong", Covers: "attack case 25, bad-list-signature", Cameras: 1, Extended: true,
			Done:  "another key has signed its list of recordings",
			Holds: "its recordings are read twice and taken in as unsigned, and people are told",
			Play: func(s *scene) {
				s.fault(0, fault.Fault{Kind: fault.ListSignature})
				s.plug(0)
				s.told(0, "signed listing does not hold", "listing.*signature")
				s.stored(0, files)
			}},
	}
}
