/*3dcbc87dbe2fc8c3efd1c783d8b5fb2c295c507d122f9cee13ca2801f439d519*/
import{change as c,read as s}from"../api.js";import{Ask as h}from"../ask.js";import{now as w}from"../clock.js";import*as l from"../db.js";import{t as o}from"../i18n.js";import{go as b}from"../router.js";import{useEffect as p,useState as d}from"../state.js";import{account as f,environment as k,reachable as m,say as y,signedIn as q}from"../store.js";import{Heading as _,html as i,Icon as V,Note as u}from"../ui.js";const $="/api/v1/phone-verifications";function v(e){y(e),b("choose",!0)}async function A(e){const{venue:n}=await c("/api/v1/vouchers/redeem",{code:e});return v(o("voucher.good",{venue:n}))}const C=({typed:e,quiet:n})=>i`<${h} what="voucher" quiet=${n} input=${{defaultValue:e,autocapitalize:"characters"}} send=${A}><h2>${o("voucher.title")}</h2><//>`;function D(){const[e,n]=d(null),a=t=>(n(t),t?l.put("kv",t,"verifying"):l.remove("kv","verifying"));if(p(()=>{l.get("kv","verifying").then(t=>t&&Date.parse(t.expires_at)>w()&&n(t))},[]),p(()=>{if(!e||!/waiting|sending/.test(e.state))return;const t=setTimeout(()=>s(`${$}/${e.verification_id}`).then(g=>a({...e,...g}),()=>n({...e})),1e3);return()=>clearTimeout(t)},[e]),f.value?.phone_verified)return i`<${u}>${o("phone.verified")}<//>`;if(!e||e.state==="refused")return i`<${h}
what="number"
key="number"
input=${{type:"tel",autocomplete:"tel",defaultValue:f.value?.phone_number??""}}
send=${async t=>a({...await c($,{phone_number:t}),phone_number:t})}
><h2>${o("phone.title")}</h2>${e&&i`<${u} kind="error" live>${o("phone.refused")}<//>`}<//>`;const r=e.state==="unknown"?"phone.unknown":e.state==="sent"?"phone.sent":"phone.sending";return i`
<${h}
what="code"
key="code"
input=${{inputmode:"numeric",pattern:"[0-9]{6}",maxlength:6,autocomplete:"one-time-code"}}
send=${async t=>{await c(`${$}/${e.verification_id}/confirm`,{code:t}),await a(null),await q(await s("/api/v1/account")),v(o("phone.verified"))}}
><h2>${o("phone.title")}</h2><${u} icon="phone" live>${o(r,{number:e.phone_number})}<//><//><div class="stack tight">${k.value?.lab_origin&&i`<a class="btn quiet wide" href="/lab"><${V} name="phone" />${o("esim.lab")}</a>`}<button class="btn plain wide" onClick=${()=>a(null)}>${o("phone.again")}</button></div>
`}function E({id:e}){const[n,a]=d("");p(()=>{s("/api/v1/free-data").then(t=>a(t.required),()=>a("nothing"))},[m.value]);const r=/phone/.test(n);return i`
<${_} title=${o("choose.allowance")} lead=${n&&o(`free.${n}`)} back="#/choose" />${!m.value&&i`<${u} icon="noline" live>${o("account.offline")}<//>`}
${r&&!e&&i`<${D} />`}
${n&&n!=="phone"&&i`<${C} typed=${e} quiet=${r&&!e} />`}
`}export{E as default};
