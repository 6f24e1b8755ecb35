// Command cluster-pki writes the keys and certificates of one local cluster into a folder. It needs nothing but
// Go's own library, and elliptic keys take a hundredth of the time of RSA's.
//
//	cluster-pki -dir FOLDER -node NAME -addresses IP[,IP...]
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const lifetime = 30 * 24 * time.Hour

var apiNames = []string{
	"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

type request struct {
	file, name, group string
	hosts             []string
	addresses         []net.IP
}

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "", "folder to write into")
	node := flag.String("node", "", "name of the node")
	list := flag.String("addresses", "", "addresses of the API server and the node, separated by commas")
	flag.Parse()
	var addresses []net.IP
	for _, text := range strings.Split(*list, ",") {
		address := net.ParseIP(text)
		if address == nil {
			log.Fatalf("cluster-pki: %q is no IP address; name at least one with -addresses", text)
		}
		addresses = append(addresses, address)
	}
	must(os.MkdirAll(*dir, 0o700))

	cluster := newAuthority(*dir, "ca", "llm-charts")
	for _, wanted := range []request{
		{file: "apiserver", name: "kube-apiserver", hosts: apiNames, addresses: addresses},
		{file: "kubelet-client", name: "kube-apiserver-kubelet-client", group: "system:masters"},
		{file: "admin", name: "admin", group: "system:masters"},
		{file: "controller-manager", name: "system:kube-controller-manager"},
		{file: "scheduler", name: "system:kube-scheduler"},
		{file: "proxy", name: "system:kube-proxy"},
		{file: "node", name: "system:node:" + *node, group: "system:nodes", hosts: []string{*node}, addresses: addresses},
	} {
		cluster.issue(*dir, wanted)
	}
	newAuthority(*dir, "front-proxy-ca", "llm-charts-front-proxy").issue(*dir, request{file: "front-proxy", name: "front-proxy-client"})
	writeServiceAccountKey(*dir)
}

func newAuthority(dir, file, name string) authority {
	key := newKey()
	template := newTemplate(name, "")
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	certificate, err := x509.ParseCertificate(der)
	must(err)
	writePEM(filepath.Join(dir, file+".crt"), "CERTIFICATE", der)
	writeKey(filepath.Join(dir, file+".key"), key)
	return authority{certificate, key}
}

func (ca authority) issue(dir string, wanted request) {
	key := newKey()
	template := newTemplate(wanted.name, wanted.group)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames, template.IPAddresses = wanted.hosts, wanted.addresses
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	must(err)
	writePEM(filepath.Join(dir, wanted.file+".crt"), "CERTIFICATE", der)
	writeKey(filepath.Join(dir, wanted.file+".key"), key)
}

func newTemplate(name, group string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	must(err)
	subject := pkix.Name{CommonName: name}
	if group != "" {
		subject.Organization = []string{group}
	}
	// An hour back, so that a clock that is set while the cluster starts does no harm.
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: start, NotAfter: start.Add(lifetime), BasicConstraintsValid: true,
	}
}

func writeServiceAccountKey(dir string) {
	key := newKey()
	writeKey(filepath.Join(dir, "service-account.key"), key)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(err)
	writePEM(filepath.Join(dir, "service-account.pub"), "PUBLIC KEY", der)
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

func writeKey(path string, key *ecdsa.PrivateKey) {
	der, err := x509.MarshalECPrivateKey(key)
	must(err)
	writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) {
	must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func must(err error) {
	if err != nil {
		log.Fatalf("cluster-pki: %v", err)
	}
}
