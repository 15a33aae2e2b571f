-- One check per request, of ids that nobody revoked: wrk -s check.lua URL -- KEY RUN
local requests, at = {}, 0

function init(args)
  math.randomseed(tonumber(args[2]))
  local headers = { ["x-api-key"] = args[1] }
  -- Made beforehand, so that the client's core is not spent on making them.
  for i = 1, 20000 do
    local id = string.format("%08x-%04x-4%03x-8%03x-%06x%06x", math.random(0, 0x7fffffff), math.random(0, 0xffff),
      math.random(0, 0xfff), math.random(0, 0xfff), math.random(0, 0xffffff), math.random(0, 0xffffff))
    requests[i] = wrk.format("GET", "/check/" .. id, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
