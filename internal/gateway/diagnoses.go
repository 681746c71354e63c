package gateway

// The entries of the catalogue that code decides on. The others are recognised by
// their text in the gateway's log, are told by a command in its own words, or are
// there to be read.
const (
	// Which image runs.
	AnotherImageRuns DiagnosisID = "another-image-runs"
	MinorSkew        DiagnosisID = "minor-skew"
	DigestUnknown    DiagnosisID = "digest-unknown"
	NotSelfHosted    DiagnosisID = "not-self-hosted"

	// It does not start, or does not stay up.
	ProcessEnded         DiagnosisID = "process-ended"
	OutOfMemory          DiagnosisID = "out-of-memory"
	CannotBeStarted      DiagnosisID = "cannot-be-started"
	GatewayRemoved       DiagnosisID = "gateway-removed"
	RestartedFromOutside DiagnosisID = "restarted-from-outside"
	NotRunning           DiagnosisID = "not-running"
	ReplicasMissing      DiagnosisID = "replicas-missing"
	FailedInHold         DiagnosisID = "failed-in-hold"
	OwnHealthCheck       DiagnosisID = "own-health-check"
	CommandMoved         DiagnosisID = "command-moved"
	TargetSilent         DiagnosisID = "target-silent"
	Interrupted          DiagnosisID = "interrupted"

	// It does not answer.
	NotListening             DiagnosisID = "not-listening"
	NobodyAtURL              DiagnosisID = "nobody-at-url"
	URLUnknown               DiagnosisID = "url-unknown"
	NoResolver               DiagnosisID = "no-resolver"
	NoRoad                   DiagnosisID = "no-road"
	ProxyInTheWay            DiagnosisID = "proxy-in-the-way"
	Hangs                    DiagnosisID = "hangs"
	ConnectionBroken         DiagnosisID = "connection-broken"
	UpstreamUnreachable      DiagnosisID = "upstream-unreachable"
	URLRedirects             DiagnosisID = "url-redirects"
	AnotherSiteAtURL         DiagnosisID = "another-site-at-url"
	NotAGateway              DiagnosisID = "not-a-gateway"
	ModelsMissing            DiagnosisID = "models-missing"
	AgentPlatformDead        DiagnosisID = "agent-platform-dead"
	AgentPlatformUnpublished DiagnosisID = "agent-platform-unpublished"
	AnotherGRPCService       DiagnosisID = "another-grpc-service"

	// Certificates of the gateway.
	CertificateUntrusted DiagnosisID = "certificate-untrusted"
	CertificateName      DiagnosisID = "certificate-name"
	CertificateExpired   DiagnosisID = "certificate-expired"
	CertificateEnds      DiagnosisID = "certificate-ends"
	NoTLS                DiagnosisID = "no-tls"
	TLSHandshake         DiagnosisID = "tls-handshake"

	// Authentication.
	AuthenticationOff DiagnosisID = "authentication-off"
	NoRefusal         DiagnosisID = "no-refusal"

	// The gateway and its GitLab.
	GitLabNameUnknown          DiagnosisID = "gitlab-name-unknown"
	GitLabNoResolver           DiagnosisID = "gitlab-no-resolver"
	GitLabLocalhost            DiagnosisID = "gitlab-localhost"
	GitLabRefused              DiagnosisID = "gitlab-refused"
	GitLabNoRoute              DiagnosisID = "gitlab-no-route"
	GitLabFirewall             DiagnosisID = "gitlab-firewall"
	GitLabUnreachable          DiagnosisID = "gitlab-unreachable"
	GitLabConnectionBroken     DiagnosisID = "gitlab-connection-broken"
	GitLabWrongAddress         DiagnosisID = "gitlab-wrong-address"
	GitLabRedirects            DiagnosisID = "gitlab-redirects"
	GitLabInTrouble            DiagnosisID = "gitlab-in-trouble"
	GitLabWithoutKeys          DiagnosisID = "gitlab-without-keys"
	GitLabKeysUnread           DiagnosisID = "gitlab-keys-unread"
	GitLabCertificateUntrusted DiagnosisID = "gitlab-certificate-untrusted"
	GitLabCertificateInvalid   DiagnosisID = "gitlab-certificate-invalid"
	GitLabNoTLS                DiagnosisID = "gitlab-no-tls"
	GitLabWithoutTLS           DiagnosisID = "gitlab-without-tls"
	CABundleMissing            DiagnosisID = "ca-bundle-missing"
	CAVariableAlone            DiagnosisID = "ca-variable-alone"
	EngineSilent               DiagnosisID = "engine-silent"
)

// Entries that only GitLab's own view of the gateway shows, in the checks gitlab.*.
const (
	InstanceIDMismatch DiagnosisID = "instance-id-mismatch"
	GitLabURLDiffers   DiagnosisID = "gitlab-url-differs"
	GitLabURLCleared   DiagnosisID = "gitlab-url-cleared"
	AgentPlatformURL   DiagnosisID = "agent-platform-url"
	GitLabHealthCheck  DiagnosisID = "gitlab-health-check"
)
