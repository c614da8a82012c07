package export

import "text/template"

// readme is README.txt.
var readme = template.Must(template.New("readme").Parse(`CUSTODY PACKAGE
Agency {{.Agency}}, made {{.Made}} by {{.By}}

In this archive are recordings of body cameras, with everything that is needed to
check, without us and without a network, that they are the ones that were read from
the camera, and what was done with them since. Please keep the .zip as it is: what
checks it takes no other. To look at a recording, unpack a copy.
{{range .Items}}
  {{.File}}
    camera {{.Camera}}, {{.Path}}
    {{.Length}} bytes, SHA-256 {{.SHA256}}
{{- if .Derived}}
    THIS IS NO ORIGINAL. It was made {{.Derived}}
    Its manifest.json is the server's statement and holds the recipe: whoever has the
    original and the tool gets the same bytes with it.
{{- end}}
{{- if .Part}}
    Only a part of it is in this package: {{.Part}}. The SHA-256 is that of the whole;
    that the part belongs to it is proven by part.bin.
{{- end}}
{{end}}
1. CHECK IT ALL
{{if .Page}}
   With a browser: unpack verify.html, open it from your disk (no network is needed),
   and drop the .zip onto it.
{{else}}
   The page verify.html is not in this package: the server was built without it.
{{end}}
   On a command line: sealdock-verify PACKAGE.zip --log-key KEY
   The program is built from public source code; a verifier from somebody else than
   us proves more than one that came with the package.

   The key of the custody log belongs to the question "whose log?". In this package
   it is
     {{.LogKey}}
   Compare it with what the agency has published, or with what the court has on file.

2. CHECK THE HASH OF A RECORDING ALONE

   On Linux, in the folder where the package was unpacked:
     sha256sum -c SHA256SUMS
   On macOS:   shasum -a 256 -c SHA256SUMS
   On Windows: certutil -hashfile FILE SHA256

3. CHECK A DOCK'S SIGNATURE WITH OPENSSL ALONE (3.0 or later)

   manifest.json is the dock's statement, made when it had read the camera: a DSSE
   envelope. manifest.signed is what was signed in it, byte for byte: the text
   "DSSEv1", the type and the statement itself, which you can read in it.
   manifest.sig is the signature.
{{range .Items}}
     openssl pkeyutl -verify -pubin -inkey {{.DockKey}} -rawin \
       -in {{.Dir}}/manifest.signed -sigfile {{.Dir}}/manifest.sig
{{end}}
   It must say "Signature Verified Successfully". Then find "sha256" in
   manifest.signed, and compare it with the hash of the recording from step 2.

{{if .Stamps}}4. CHECK A TIME STAMP WITH OPENSSL ALONE

   An outside authority signed that the custody log had come so far at that time; the
   verifier shows that the storing of the recording is below that point of the log.
{{range .Stamps}}
   {{.At}}, {{.Authority}}:
     openssl ts -verify -token_in -in {{.Token}} -data {{.Checkpoint}} -CAfile {{.Roots}}
{{end}}
   It must say "Verification: OK". The .pem file is the authority that the server
   trusted: get the authority's certificate from itself, and use that instead.

5{{else}}4{{end}}. WHAT IS WHAT

   report.pdf            the custody report, for people
   certificate-902.txt   draft of a certificate under US Federal Rules of Evidence 902
   package.json          what is in the package, and the keys
   keys/                 the public keys of those who signed
   docks.jsonl           when the docks' keys were registered
{{- if .Stamps}}
   time/                 time stamps (RFC 3161): the log's checkpoint, the token over it,
                         and the authority that the server trusted
{{- end}}
   items/ID/
     original/           the recording as it was read from the camera, and an ASC MHL
                         hash list of it (original/ascmhl)
     manifest.json       the dock's signed statement of the recording
     manifest.signed, manifest.sig   the same for openssl
     inventory-N.json    the dock's signed list of all that the camera showed then
     receipt.json        the server's signed statement that it stored the recording,
                         read it back and entered it into the custody log
     release-N.json      the dock's signed statement that the camera's copy was erased
     derivative-N.json   the server's signed recipe of what was made of the recording
     events.jsonl        every custody event of the recording, as it is in the log
     clock.json          times by the camera's clock, and corrected, with uncertainty
     part.bin            where only a part of the recording is here: the hashes that lead
                         from it to the root that the dock signed
     leaves.bin          SHA-256 of each part of 1 MiB (RFC 6962 leaf hashes)
   SHA256SUMS            the SHA-256 of each file above; its own is in the custody log
   proof.jsonl           the log's signed checkpoint, and the proofs that each event,
                         and the making of this package, are in that log

   The exact format is internal/pack/FORMAT.md in the source code.
`))

// certificate is a draft for FRE 902(13) and (14).
var certificate = template.Must(template.New("certificate").Parse(`DRAFT - NOT SIGNED

CERTIFICATE OF AUTHENTICITY
under Rules 902(11), 902(13) and 902(14) of the Federal Rules of Evidence

This draft was filled in by the evidence server from what it has recorded. Nobody has
certified anything by it. A qualified person must read it, strike what he or she does
not know to be true, complete it, and sign it. The adverse party needs reasonable
written notice, and the record and the certificate for inspection. Whether the rules
apply is for counsel to say.

I, _______________________________________ (name), _________________________ (title),
of ______________________________________ (organisation), certify as follows.

1. I am qualified to make this certificate by my training and experience:
   ________________________________________________________________________________

2. The agency {{.Agency}} keeps recordings of body cameras in an evidence system whose
   program calls itself "{{.Program}}". The system works as follows.

   a. A camera is connected to a dock. The dock reads each recording in one pass,
      calculates its SHA-256 hash value (FIPS 180-4) while reading, and seals it with
      authenticated encryption. A second, independent reading of the camera, or a
      hash value that the camera had signed itself, confirms the first.
   b. The dock signs a statement of the recording ("manifest": camera, path, length,
      hash value, clocks) with its own key (Ed25519, RFC 8032) before the first byte
      of the recording leaves it.
   c. The server stores the recording, reads it back from the storage medium as a
      whole, calculates the hash value anew and compares it with the dock's. Only
      then does it enter the recording into its custody log and sign a receipt.
      Only against that receipt may the camera's copy be erased.
   d. The custody log is an append-only Merkle tree (RFC 6962). Each act on a
      recording is entered in it; an entry that is changed, removed or put in later
      shows in the log's signed checkpoints.
   e. When a package like the one that this draft is part of is made, the recordings
      are read from the store, decrypted, and compared with the dock's hash values
      once more. The hash value of every file in the package is entered into the log.

3. (Rule 902(13)) The records listed below were generated by this process or system,
   which produces an accurate result. As to the times in them: the camera's clock was
   not altered in them; where it was compared with the dock's clock, the corrected
   time is given with its uncertainty.

4. (Rule 902(14)) The recordings listed below were copied from the camera, from the
   dock and from the server's storage by this process of digital identification. The
   SHA-256 hash value of each copy is equal to that of the original as it was read
   from the camera, so that it is a true duplicate.
{{range .Items}}
   Recording {{.ID}}
     File in this package    {{.File}}
     Camera                  {{.Camera}}
     Path on the camera      {{.Path}}
     Length                  {{.Length}} bytes
     SHA-256                 {{.SHA256}}
{{- if .Part}}
                             of the whole; in this package is only {{.Part}},
                             identified by its Merkle path (part.bin)
{{- end}}
{{- if .Derived}}
     NO ORIGINAL             made {{.Derived}}
{{- end}}
     C4 (SHA-512)            in the ASC MHL beside the recording
     {{if .Derived}}Original read          {{else}}Read from the camera   {{end}} {{.Read}}
                             at dock {{.Dock}}, station {{.Station}}, bay {{.Bay}}
     Confirmed               {{.Confirmed}}
{{- range .Times}}
     {{printf "%-23s" .What}} {{.Raw}} by the camera's clock
{{- if .Corrected}}
                             {{.Corrected}} corrected, give or take {{.About}}
{{- else}}
                             not corrected: the clock was not compared
{{- end}}{{end}}
     Stored and read back    {{.Stored}}
     Entry in the log        {{.StoredIndex}} of {{$.Origin}}
{{- if .Stamped}}
                             not later than {{.Stamped}} (RFC 3161)
{{- end}}
{{- if .Erased}}
     Erased from the camera  {{.Erased}}
{{- end}}
     Custody events          {{len .Events}} up to the making of this package
{{end}}
5. (Rule 803(6)(A) to (C), where the records are offered as records of a regularly
   conducted activity) The records were made at or near the time by, or from
   information transmitted by, someone with knowledge; they are kept in the course of
   a regularly conducted activity; making them was a regular practice of that activity.

6. The package was made on {{.Made}} by {{.By}}. That it was, with the hash value of
   its contents, is in the custody log {{.Origin}}.

I declare under penalty of perjury that the foregoing is true and correct
(28 U.S.C. 1746).

Executed on ______________________ at ______________________________________________

Signature ___________________________________________________________________________
`))
