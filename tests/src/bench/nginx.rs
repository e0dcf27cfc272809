//! nginx as the peer: TLS to TLS, one worker, upstream connections kept alive.

use std::path::Path;

/// Its configuration.
pub(super) fn configuration(dir: &Path, listen: &str, upstream: &str, name: &str) -> String {
    let dir = dir.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\nerror_log {dir}/nginx.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  tcp_nodelay on;\n  postpone_output 0;\n  client_body_temp_path {dir}/nginx-body;\n  proxy_temp_path {dir}/nginx-proxy;\n\
         \x20 fastcgi_temp_path {dir}/nginx-f;\n  uwsgi_temp_path {dir}/nginx-u;\n  scgi_temp_path {dir}/nginx-s;\n\
         \x20 keepalive_requests 100000000;\n  keepalive_timeout 600s;\n\
         \x20 upstream provider {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
         \x20 server {{\n    listen {listen} ssl;\n    ssl_certificate {dir}/bench-identity.pem;\n    ssl_certificate_key {dir}/bench-identity.pem;\n\
         \x20   location / {{\n      proxy_pass https://provider;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
         \x20     proxy_set_header Host {name};\n      proxy_ssl_server_name on;\n      proxy_ssl_name {name};\n      proxy_ssl_verify on;\n\
         \x20     proxy_ssl_trusted_certificate {dir}/lab-ca.pem;\n      proxy_ssl_protocols TLSv1.3;\n      proxy_buffering off;\n    }}\n  }}\n}}\n"
    )
}
