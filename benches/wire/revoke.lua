-- One new revocation per request: wrk -s revoke.lua URL -- KEY RUN
local head, exp, run, count

function init(args)
  run, count = args[2], 0
  exp = os.time() + 3600
  -- Same bytes as wrk.format makes, without building the header table anew for every request.
  head = "POST /revoke HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: " .. args[1] ..
    "\r\nContent-Type: application/json\r\nContent-Length: "
end

function request()
  count = count + 1
  local body = string.format('{"jti":"%08d-0000-4000-8000-%012d","exp":%d}', run, count, exp)
  return head .. #body .. "\r\n\r\n" .. body
end
