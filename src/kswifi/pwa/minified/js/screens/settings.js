/*2ac895b4c55deae22e34e276048d37465ed76164814d5654ad970ca3d87c3d56*/
import{change as v}from"../api.js";import{trouble as w}from"../db.js";import{InstallApp as _}from"../doors.js";import{formatOctets as y}from"../format.js";import{t}from"../i18n.js";import{listen as d}from"../live.js";import{beTold as k,beToldNoMore as g,pushHere as C,pushOn as p}from"../push.js";import{go as E}from"../router.js";import{useEffect as S,useRef as H,useState as I}from"../state.js";import{account as O,environment as T,forget as x,prefer as o,preferences as M,reachable as N,say as R}from"../store.js";import{Support as j}from"../support.js";import{Heading as q,html as s,Icon as f,Insecure as z,Row as l,Switch as m}from"../ui.js";const b=({label:a,value:r,options:c,change:$})=>s`<div class="stack tight" role="group" aria-label=${a}><h2>${a}</h2><div class="seg">${c.map(([i,u])=>s`<button key=${i} aria-pressed=${r===i} onClick=${()=>$(i)}>${u}</button>`)}</div></div>`;async function A(){await x(),d(),E("home")}async function B(){await g().catch(()=>{}),await v("/api/v1/logins/current",void 0,{method:"DELETE"}).catch(()=>{}),await A()}async function D(a){await o({alerts:a}),!a&&p.peek()&&await g()}async function L(a){if(!a)return g();await o({alerts:!0}),await k().catch(()=>!1)||R(t("settings.alerts_denied"))}function F(){const{theme:a,language:r,low_data:c,alerts:$}=M.value,[i,u]=I(null),h=H(null);S(()=>{navigator.storage?.estimate?.().then(({usage:e})=>u(e??null))},[]);const n=O.value;return s`
<${q} title=${t("settings.title")} />${n?s`<div class="list"><${l} icon="user" to="security" name=${n.phone_number??n.email??""} hint=${t("security.teaser")} /><${l} icon="wifi" to="gifts" name=${t("gifts.title")} /><${l} icon="phone" to="move" name=${t("new_esim.title")} /></div>`:s`<a class="btn wide" href="#/account">${t("account.sign_in")}</a>`}<${b}
label=${t("settings.theme")}
value=${a}
options=${["system","dark","light"].map(e=>[e,t(`theme.${e}`)])}
change=${e=>o({theme:e})}
/><${b}
label=${t("settings.language")}
value=${r}
options=${[["",t("language.system")],["en","English"],["pcm","Naijá"]]}
change=${e=>o({language:e})}
/><div class="list"><${m}
label=${t("settings.low_data")}
hint=${t("settings.low_data_hint")}
on=${c}
change=${e=>o({low_data:e}).then(d)}
/><${m} label=${t("settings.alerts")} hint=${t("settings.alerts_hint")} on=${$} change=${D} />${n&&C&&s`<${m} label=${t("settings.push")} hint=${t("settings.push_hint")} on=${!!p.value} change=${L} />`}</div><${_} /><${z} /><section class="card"><h2>${t("about.title")}</h2><p class="soft">${t("about.lead")}</p><ul class="stack">${["device","card","server"].map(e=>s`<li class="row" style="align-items:flex-start"><span class="dot"><${f} name=${e==="device"?"phone":e==="card"?"chip":"wifi"} /></span><span class="grow"><b>${t(`about.${e}`)}</b><br /><span class="small soft">${t(`about.${e}.what`)}</span></span></li>`)}</ul>${i!==null&&!w.value&&s`<p class="small soft num">${t("about.held",{size:y(i)})}</p>`}</section><div class="list"><${l} icon="phone" to="device" name=${t("device.title")} hint=${t("device.teaser")} /></div><${j} />${T.value?.lab_origin&&s`<a class="btn quiet wide" href="/lab"><${f} name="phone" />${t("esim.lab")}</a>`}
${n&&s`
<button class="btn danger wide" onClick=${()=>h.current?.showModal()}>${t("settings.sign_out")}</button><dialog ref=${h} aria-labelledby="sure"><div class="stack"><h2 id="sure">${t("settings.sure")}</h2><p class="soft">${t("settings.sure_lead")}${N.value?"":` ${t("settings.sure_offline")}`}</p><button class="btn wide" onClick=${B}>${t("settings.sign_out")}</button><button class="btn plain wide" onClick=${()=>h.current?.close()}>${t("settings.stay")}</button></div></dialog>
`}
`}export{F as default};
