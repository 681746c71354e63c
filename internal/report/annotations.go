package report

import (
	"net/url"
	"path/filepath"
	"strings"
)

// installPage is GitLab's own page about the gateway.
const installPage = "https://docs.gitlab.com/install/install_ai_gateway/"

// annotation is one link on the job's page. No other keys are allowed.
// Source: gitlab-org/gitlab app/validators/json_schemas/ci_job_annotation_data.json.
type annotation struct {
	Link struct {
		Label string `json:"label"`
		URL   string `json:"url"`
	} `json:"external_link"`
}

// renderAnnotations renders the links that GitLab shows beside the job log. dir is
// where the reports are.
func renderAnnotations(r Report, dir string) []byte {
	links := []annotation{}
	add := func(label, address string) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(address) > 2000 {
			return
		}
		a := annotation{}
		a.Link.Label, a.Link.URL = label, u.String()
		links = append(links, a)
	}
	add("AI Gateway", r.GatewayURL)
	// A job keeps as artifacts what lies below its working directory.
	if r.JobURL != "" && filepath.IsLocal(dir) && dir != "." {
		job, path := strings.TrimRight(r.JobURL, "/"), (&url.URL{Path: filepath.ToSlash(dir)}).EscapedPath()
		add("Report", job+"/artifacts/file/"+path+"/"+summaryFile)
		add("Report, JSON", job+"/artifacts/file/"+path+"/"+jsonFile)
		add("All reports and evidence", job+"/artifacts/browse/"+path)
	}
	add("GitLab: install the AI Gateway", installPage)
	return encode(map[string][]annotation{"AI Gateway": links})
}
