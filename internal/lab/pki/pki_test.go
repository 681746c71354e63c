package pki

import (
	"crypto/x509"
	"testing"
)

func TestOnlyThoseWhoWereGivenTheAuthorityTrustIt(t *testing.T) {
	t.Parallel()
	ours, err := New("ours")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := New("theirs")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ours.Issue("127.0.0.1", "gitlab.example.com")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host      string
		authority *Authority
		trusted   bool
	}{
		{"127.0.0.1", ours, true},
		{"gitlab.example.com", ours, true},
		{"other.example.com", ours, false},
		{"127.0.0.2", ours, false},
		{"127.0.0.1", theirs, false},
	} {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(tt.authority.PEM()) {
			t.Fatal("not PEM")
		}
		if _, err := certificate.Verify(x509.VerifyOptions{DNSName: tt.host, Roots: pool}); (err == nil) != tt.trusted {
			t.Errorf("%s: %v", tt.host, err)
		}
	}
}
