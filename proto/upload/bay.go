package upload

// Words for Bay.State (SPEC.md section 6). A word that is not listed is shown
// as it is.
const (
	BayEmpty     = "empty"     // no camera
	BayReading   = "reading"   // identifying the camera and listing its recordings
	BayCopying   = "copying"   // recordings are being copied from the camera
	BayUploading = "uploading" // all copied; recordings are on their way to the server
	BayReleasing = "releasing" // the camera is erasing what has a receipt
	BayDone      = "done"      // the camera may be taken out
	BayAttention = "attention" // a person must look: the message says why
)
