-- A hundred checks per request, of ids that nobody revoked: wrk -s batch.lua URL -- KEY RUN
local requests, at = {}, 0

function init(args)
  math.randomseed(tonumber(args[2]))
  local headers = { ["x-api-key"] = args[1], ["content-type"] = "application/json" }
  for i = 1, 500 do
    local ids = {}
    for n = 1, 100 do
      ids[n] = string.format("%08x-%04x-4%03x-8%03x-%06x%06x", math.random(0, 0x7fffffff), math.random(0, 0xffff),
        math.random(0, 0xfff), math.random(0, 0xfff), math.random(0, 0xffffff), math.random(0, 0xffffff))
    end
    requests[i] = wrk.format("POST", "/check", headers, '{"ids":["' .. table.concat(ids, '","') .. '"]}')
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
