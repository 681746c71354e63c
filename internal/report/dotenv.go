package report

import (
	"fmt"
	"strings"

	"aigw-ci/internal/upgrade"
)

// maxDotenvValue keeps the whole file below GitLab's 5 KB with all its six lines.
const maxDotenvValue = 700

// renderDotenv renders deploy.env, which GitLab turns into variables of later jobs.
// GitLab rejects the whole file for one line that is not KEY=value, so a value that
// does not fit in one is left out and not mended: a reference that was shortened is
// a wrong reference. Source: docs.gitlab.com/ci/yaml/artifacts_reports, dotenv.
func renderDotenv(r Report) []byte {
	image, digest := serving(r.Result)
	var b strings.Builder
	for _, v := range [...]struct{ key, value string }{
		{"AIGW_URL", r.GatewayURL},
		{"AIGW_IMAGE", image},
		{"AIGW_DIGEST", digest},
		{"AIGW_VERSION", gatewayVersion(image)},
		{"AIGW_PREVIOUS_IMAGE", before(r.Result)},
		{"AIGW_OUTCOME", string(r.Result.Outcome)},
	} {
		if len(v.value) > maxDotenvValue || strings.ContainsFunc(v.value, notInDotenv) {
			v.value = ""
		}
		fmt.Fprintf(&b, "%s=%s\n", v.key, v.value)
	}
	return []byte(b.String())
}

// notInDotenv reports what must not be in a value: white space, control
// characters, quotes, and what a shell or GitLab's own expansion would act on.
func notInDotenv(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`$\\", r) }

// serving is the image that runs now; for a command that only found or planned
// one, that. A run that does not know what runs says nothing.
func serving(r upgrade.Result) (image, sum string) {
	if r.Outcome == upgrade.Planned && r.Image.Digest != "" {
		return r.Image.Reference(), r.Image.Digest
	}
	if now := serves(r); now != nil {
		return now.Image, digest(now, r.Image)
	}
	return "", ""
}

func before(r upgrade.Result) string {
	if r.Before == nil {
		return ""
	}
	return r.Before.Image
}

// gatewayVersion is the version in a reference with a stable gateway tag,
// self-hosted-v18.2.8-ee: "18.2.8".
func gatewayVersion(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	tag := name[strings.LastIndexAny(name, ":/")+1:]
	if _, stable := (upgrade.Image{Tag: tag}).Line(); !stable {
		return ""
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(tag, "self-hosted-v"), "-")
	return number
}
