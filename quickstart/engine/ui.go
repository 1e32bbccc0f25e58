package engine

import (
	"context"
	"errors"
	"net"
	"net/http"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves the Temporal UI on addr for the frontend at temporal. It returns
// once the UI answers.
func startUI(ctx context.Context, addr *net.TCPAddr, temporal, namespace string) (*uiserver.Server, error) {
	host := addr.IP.String()
	if addr.IP.To4() == nil {
		host = "[" + host + "]" // the UI joins host and port with a bare colon
	}
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: temporal,
		Host:                host,
		Port:                addr.Port,
		DefaultNamespace:    namespace,
		EnableUI:            true,
		HideLogs:            true,
		// News would be fetched from the internet.
		DisableNewsFetch: true,
		// The page is served without TLS, so its cookie must work without it.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	// Start returns once Stop is called. It exits the process if it cannot listen,
	// which reserveAddress has just ruled out.
	go func() { _ = ui.Start() }()

	if err := await(ctx, func(ctx context.Context) error { return get(ctx, "http://"+dialAddress(addr)+"/healthz") }); err != nil {
		ui.Stop()
		return nil, err
	}
	return ui, nil
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := new(http.Client).Do(req) // bounded by ctx
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return errors.New("the Temporal UI returned " + res.Status)
	}
	return nil
}
